/**
 * Random tests run with one seed, so that a change is judged by what it changed. The long tier
 * (ZONESCOPE_TIER=long) and ZONESCOPE_SEED look further.
 */
import fc from 'fast-check';

const { ZONESCOPE_SEED, ZONESCOPE_TIER } = process.env;
const seed = ZONESCOPE_SEED === undefined ? 20260 : Number(ZONESCOPE_SEED);
if (ZONESCOPE_SEED !== undefined || ZONESCOPE_TIER !== 'long') fc.configureGlobal({ seed });
