// Runs the server given as first argument, and ends it when whoever started it is gone: standard input is a pipe
// that the starter holds open, and it closes however the starter dies.
import { pathToFileURL } from 'node:url';

const [main = '', ...args] = process.argv.slice(2);
process.stdin.resume();
process.stdin.on('error', () => process.exit(0));
process.stdin.on('close', () => process.exit(0));
process.argv = [process.execPath, main, ...args];
await import(pathToFileURL(main).href);
