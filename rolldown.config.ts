import { defineConfig, type Plugin } from 'rolldown';

const PACKAGES = 'packages';

/** Reading the maps of what others wrote would take a start a sixth of its time, and an operator does not need them. */
const withoutMapsOfPackages: Plugin = {
  name: 'without-maps-of-packages',
  generateBundle(_options, bundle) {
    for (const [file, output] of Object.entries(bundle)) {
      if (output.type === 'chunk' && output.name.startsWith(PACKAGES)) {
        output.code = output.code.replace(/\n\/\/# sourceMappingURL=.*$/m, '');
        delete bundle[`${file}.map`];
      }
    }
  },
};

// What `npm start` runs. A few files load in two thirds of the time of the thousand that they are made of.
export default defineConfig({
  platform: 'node',
  input: {
    main: 'src/main.ts',
    cli: 'src/cli.ts',
    'inspection-worker': 'src/audio/worker.ts',
    'worker-main': 'src/workers/main.ts',
    'conversion-worker': 'src/conversion/wasm-worker.ts',
  },
  // Read files that lie beside their code, may be absent, or are there in development alone.
  external: [
    '@ffmpeg/core',
    /^@aws-sdk\//,
    '@fastify/static',
    '@fastify/swagger',
    '@fastify/swagger-ui',
    'pino-pretty',
  ],
  plugins: [withoutMapsOfPackages],
  output: {
    // Never emptied: a service that runs from it may load a part only later.
    dir: 'dist',
    format: 'esm',
    sourcemap: true,
    sourcemapExcludeSources: true,
    codeSplitting: { groups: [{ name: PACKAGES, test: /node_modules/, entriesAware: true }] },
  },
});
