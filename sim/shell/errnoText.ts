/** What strerror(3) says, for the errors that commands of this shell can meet. */
import { errnoName } from '../include/errno.ts';

const TEXTS: ReadonlyMap<string, string> = new Map([
  ['EPERM', 'Operation not permitted'],
  ['ENOENT', 'No such file or directory'],
  ['ESRCH', 'No such process'],
  ['EINTR', 'Interrupted system call'],
  ['ENXIO', 'No such device or address'],
  ['EBADF', 'Bad file descriptor'],
  ['EAGAIN', 'Resource temporarily unavailable'],
  ['ENOMEM', 'Cannot allocate memory'],
  ['EACCES', 'Permission denied'],
  ['EFAULT', 'Bad address'],
  ['EBUSY', 'Device or resource busy'],
  ['EEXIST', 'File exists'],
  ['ENODEV', 'No such device'],
  ['EINVAL', 'Invalid argument'],
  ['ENOTTY', 'Inappropriate ioctl for device'],
  ['ERANGE', 'Numerical result out of range'],
  ['EOVERFLOW', 'Value too large for defined data type'],
  ['EOPNOTSUPP', 'Operation not supported'],
]);

/** `-ENOENT (No such file or directory)` of -2. */
export function errnoText(error: number): string {
  const name = errnoName(-error);
  if (name === undefined) return String(error);
  const text = TEXTS.get(name);
  return text === undefined ? `-${name}` : `-${name} (${text})`;
}

/** The text alone, as tools print it. */
export const strerror = (error: number): string => TEXTS.get(errnoName(-error) ?? '') ?? `error ${-error}`;
