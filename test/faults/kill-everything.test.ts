import { test } from 'vitest';
import { CLIENTS, KILLS, KILLS_TIMEOUT, killAgainAndAgain } from './kill.ts';

test(
  `${KILLS} times kill -9 of service and database under ${CLIENTS} clients lose nothing and leave nothing`,
  {
    timeout: KILLS_TIMEOUT,
  },
  () => killAgainAndAgain('service and database', (service) => service.killEverything()),
);
