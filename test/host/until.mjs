import { setTimeout as sleep } from 'node:timers/promises';

/** How long anything on the screen may take, on a machine that has other things to do as well. */
export const patienceMs = 45_000;

/** Editor text shows spaces as no-break spaces. */
export const plain = (/** @type {string} */ text) => text.replaceAll('\u00a0', ' ');

/**
 * Repeats `look` until it gives something other than undefined.
 *
 * @template T
 * @param {string} what
 * @param {() => Promise<T | undefined> | T | undefined} look
 * @returns {Promise<T>}
 */
export async function until(what, look, timeoutMs = patienceMs) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    await sleep(50);
  }
}
