import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What the proxy does with the first query that holds a certain text. */
export type Loss =
  /** It never reaches the server; the connection is cut. */
  | 'query-cut'
  /** It reaches the server, which answers; the connection is cut before the answer comes through. */
  | 'answer-cut'
  /** It reaches the server, which answers; nothing comes through on that connection any more. */
  | 'answer-frozen';

/** A network between the service and its database that can fail. */
export interface TcpProxy {
  /** The database's url, by way of the proxy. */
  readonly url: string;
  /** Ends every connection, and each new one at once, until restored. */
  cut(): void;
  /** Lets nothing through on any connection, old or new, until restored. */
  freeze(): void;
  restore(): void;
  /** Loses one query; resolves when that has happened. */
  lose(text: string, loss: Loss): Promise<void>;
  close(): Promise<void>;
}

/** The end of every answer to a query outside a transaction. */
const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5, 0x49]);

interface Trap {
  readonly text: string;
  readonly loss: Loss;
  readonly sprung: () => void;
}

/** Listens on TCP and connects to the server of `databaseUrl`, on TCP or on its Unix socket. */
export async function startTcpProxy(databaseUrl: string): Promise<TcpProxy> {
  const target = new URL(databaseUrl);
  const links = new Set<{ readonly ends: readonly [Socket, Socket] }>();
  let state: 'open' | 'cut' | 'frozen' = 'open';
  let trap: Trap | undefined;

  const server = createServer((client) => {
    if (state === 'cut') {
      client.destroy();
      return;
    }
    const upstream = connectTo(target);
    const link = { ends: [client, upstream] as const };
    links.add(link);
    /** The trap that this connection is in. */
    let caught: Trap | undefined;
    const sever = () => {
      links.delete(link);
      for (const end of link.ends) end.destroy();
    };
    client.on('data', (query: Buffer) => {
      if (trap !== undefined && query.includes(trap.text)) {
        caught = trap;
        trap = undefined;
        if (caught.loss === 'query-cut') {
          sever();
          caught.sprung();
          return;
        }
      }
      upstream.write(query);
    });
    upstream.on('data', (answer: Buffer) => {
      if (caught === undefined) {
        client.write(answer);
      } else if (answer.includes(READY_FOR_QUERY)) {
        if (caught.loss === 'answer-cut') sever();
        caught.sprung();
      }
    });
    for (const end of link.ends) {
      end.on('error', sever);
      end.on('close', sever);
      if (state === 'frozen') end.pause();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cut = () => {
    state = 'cut';
    for (const { ends } of links) for (const end of ends) end.destroy();
  };
  const url = new URL(databaseUrl);
  url.searchParams.delete('host');
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);

  return {
    url: url.href,
    cut,
    freeze() {
      state = 'frozen';
      for (const { ends } of links) for (const end of ends) end.pause();
    },
    restore() {
      state = 'open';
      for (const { ends } of links) for (const end of ends) end.resume();
    },
    lose: (text, loss) =>
      new Promise<void>((sprung) => {
        trap = { text, loss, sprung };
      }),
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

function connectTo({ hostname, port, searchParams }: URL): Socket {
  const host = searchParams.get('host') ?? hostname;
  return host.startsWith('/')
    ? connect({ path: `${host}/.s.PGSQL.${port || '5432'}` })
    : connect({ host, port: Number(port || '5432') });
}
