/**
 * A map by number whose order means nothing: undo need not restore it, and a state's text has it sorted. For maps
 * with an entry for every page, where keeping the order would cost as much as the map.
 */
export class UnorderedMap<V> extends Map<number, V> {}
