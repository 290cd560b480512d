/** The closed set of states; the first is the default. Stored as text with a CHECK: an enum's `=` is not leakproof. */
export const taskStatuses = ['Todo', 'InProgress', 'Done'] as const

/** Longest title and description, in Unicode code points. */
export const titleLimit = 255
export const descriptionLimit = 10_000
