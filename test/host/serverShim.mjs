// Runs the server given as first argument, and ends it when whoever started it is gone: standard input is a pipe
// that the starter holds open, and it closes however the starter dies.
import { pathToFileURL } from 'node:url';

const [main = '', ...args] = process.argv.slice(2);
process.argv = [process.execPath, main, ...args];

function end() {
  // An extension host waits hours for a window to come back; as one group with the server it goes with it.
  if (process.platform !== 'win32') process.kill(-process.pid, 'SIGKILL');
  process.exit(0);
}
process.stdin.resume();
process.stdin.on('error', end);
process.stdin.on('close', end);
await import(pathToFileURL(main).href);
