/** As the API names them, in the order in which they are offered. */
export const ENGINES = [
  'asterisk',
  'freeswitch',
  'twilio',
  'jambonz',
  'plivo',
  'vonage',
  'bandwidth',
  'sinch',
  'amazon_connect',
  'browser',
] as const;
export type Engine = (typeof ENGINES)[number];

interface EngineText {
  /** As people write it. */
  readonly name: string;
  /** What goes into its configuration or its answer. */
  readonly snippet: (url: string) => string;
}

/** What is pasted where. The same lines are in docs/engines.md. */
export const ENGINE_TEXTS: Readonly<Record<Engine, EngineText>> = {
  asterisk: { name: 'Asterisk', snippet: (url) => ` same => n,Playback(${url})` },
  freeswitch: {
    name: 'FreeSWITCH',
    snippet: (url) => `<action application="playback" data="${inXml(url)}"/>`,
  },
  twilio: { name: 'Twilio', snippet: (url) => `<Response><Play>${inXml(url)}</Play></Response>` },
  jambonz: { name: 'jambonz', snippet: (url) => JSON.stringify([{ verb: 'play', url }]) },
  plivo: { name: 'Plivo', snippet: (url) => `<Response><Play>${inXml(url)}</Play></Response>` },
  vonage: { name: 'Vonage', snippet: (url) => JSON.stringify([{ action: 'stream', streamUrl: [url] }]) },
  bandwidth: {
    name: 'Bandwidth',
    snippet: (url) => `<Response><PlayAudio>${inXml(url)}</PlayAudio></Response>`,
  },
  sinch: {
    name: 'Sinch',
    snippet: (url) =>
      JSON.stringify({
        action: { name: 'hangup' },
        instructions: [{ name: 'playFiles', ids: [`#href[${url}]`], locale: 'en-US' }],
      }),
  },
  amazon_connect: {
    name: 'Amazon Connect',
    snippet: (url) =>
      `curl -fsS -o prompt.wav '${url}'\naws s3 cp prompt.wav s3://BUCKET/prompt.wav --content-type audio/wav`,
  },
  browser: {
    name: 'Web page',
    snippet: (url) => `<audio controls preload="none" src="${inXml(url)}"></audio>`,
  },
};

const inXml = (url: string) => url.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
