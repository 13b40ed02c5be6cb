/** What benchmarks take of the tests' helpers. */
export { binary } from './binaries.js';
export { startFaultProxy } from './fault-proxy.js';
export { filledProgram } from './python-guide.js';
export { pythonWithSdk } from './python.js';
export { run } from './run.js';
export { startMinio } from './servers.js';
