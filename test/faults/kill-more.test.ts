import { test } from 'vitest';
import { killAgainAndAgain } from './kills.ts';
import { scaled } from './scale.ts';

const KILLS = scaled(100, 3);

test(`another ${KILLS} times kill -9 under load lose nothing and leave nothing`, {
  timeout: KILLS * 20_000 + 60_000,
}, async () => {
  await killAgainAndAgain('more of kill -9', KILLS);
});
