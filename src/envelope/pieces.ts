/** How much a cipher is given at once: its results are memory of their own, and larger ones are pages that the kernel has to clear first. */
export const PIECE = 64 * 1024;
