import { Counter, Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createServiceFigures } from '../../src/workers/figures.ts';
import { figureIn } from '../e2e/worker-processes.ts';

/** A worker's figures: requests, and how many are open. */
function source() {
  const registry = new Registry();
  const registers = [registry];
  const requests = new Counter({ name: 'requests_total', help: 'x', labelNames: ['route'], registers });
  const open = new Gauge({ name: 'open', help: 'x', registers });
  const worst = new Gauge({ name: 'worst', help: 'x', aggregator: 'max', registers });
  const state = { isAway: false, timesAsked: 0 };
  return {
    state,
    serve(route: string, figures: { readonly open: number; readonly worst: number }) {
      requests.inc({ route });
      open.set(figures.open);
      worst.set(figures.worst);
    },
    async figures() {
      state.timesAsked += 1;
      if (state.isAway) throw new Error('no answer came in time');
      // As from another process: what is counted later does not show in what was said.
      return structuredClone(await registry.getMetricsAsJSON());
    },
  };
}

function shown(scrape: string) {
  const names = ['requests_total{route="a"}', 'requests_total{route="b"}', 'open', 'worst'];
  return [...names, 'media_prompts_workers', 'media_prompts_workers_ended_total'].map((name) =>
    figureIn(scrape, name),
  );
}

test('figures are added up, or taken as each says', async () => {
  const service = createServiceFigures();
  const [one, two] = [source(), source()];
  service.join(one);
  service.join(two);
  one.serve('a', { open: 2, worst: 0.4 });
  two.serve('a', { open: 3, worst: 0.9 });
  two.serve('b', { open: 3, worst: 0.9 });
  expect(shown(await service.text())).toEqual([2, 1, 5, 0.9, 2, 0]);
});

test('who ends takes nothing counted along, and leaves nothing that is no more', async () => {
  const service = createServiceFigures();
  const [one, two, three] = [source(), source(), source()];
  service.join(one);
  service.join(two);
  one.serve('a', { open: 2, worst: 0.9 });
  two.serve('b', { open: 3, worst: 0.4 });
  await service.text();
  service.leave(one);
  expect(shown(await service.text())).toEqual([1, 1, 3, 0.4, 1, 1]);
  service.join(three);
  three.serve('a', { open: 1, worst: 0 });
  await service.text();
  service.leave(three);
  service.leave(two);
  expect(shown(await service.text())).toEqual([2, 1, 0, 0, 0, 3]);
});

test('who does not answer counts with what it said last', async () => {
  const service = createServiceFigures();
  const [one, two] = [source(), source()];
  service.join(one);
  service.join(two);
  one.serve('a', { open: 2, worst: 0.9 });
  await service.text();
  one.state.isAway = true;
  one.serve('a', { open: 9, worst: 1 });
  two.serve('b', { open: 1, worst: 0 });
  expect(shown(await service.text())).toEqual([1, 1, 3, 0.9, 2, 0]);
});

test('however many scrape at once, each worker is asked once', async () => {
  const service = createServiceFigures();
  const one = source();
  service.join(one);
  await Promise.all(Array.from({ length: 20 }, () => service.text()));
  expect(one.state.timesAsked).toBe(1);
  await service.text();
  expect(one.state.timesAsked).toBe(2);
});

test('figures that cannot be added cost only themselves when who counted them ends', async () => {
  const service = createServiceFigures();
  const [one, two] = [source(), source()];
  const odd = {
    async figures() {
      return (await one.figures()).map((metric) => ({ ...metric, aggregator: 'unheard of' as 'sum' }));
    },
  };
  service.join(odd);
  await expect(service.text()).rejects.toThrow('unheard of');
  service.leave(odd);
  service.join(two);
  two.serve('a', { open: 1, worst: 0 });
  expect(shown(await service.text())).toEqual([1, 0, 1, 0, 1, 1]);
});
