import './load-env-file.ts';
import process from 'node:process';

// While the modules load there is nothing yet that would have to be ended with grace.
const endAtOnce = () => process.exit(0);
process.on('SIGTERM', endAtOnce).on('SIGINT', endAtOnce);

const { serve } = await import('./serve.ts');
await serve(process, () => process.off('SIGTERM', endAtOnce).off('SIGINT', endAtOnce));
