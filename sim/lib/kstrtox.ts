/** lib/kstrtox.c:kstrtobool: the first letter decides, after an o the second. */
export function kstrtobool(text: string): boolean | undefined {
  if (/^([yt1]|on)/i.test(text)) return true;
  return /^([nf0]|of)/i.test(text) ? false : undefined;
}
