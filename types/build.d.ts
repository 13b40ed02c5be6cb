/** The version in package.json, put in by scripts/build.mjs (and by jest.config.mjs in tests). */
declare const __VERSION__: string;
