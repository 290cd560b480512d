import { z } from './schema.ts'

/** Most and default rows of one list. */
export const listLimit = { most: 500, default: 100 } as const

/** `OFFSET` reads the rows that it skips. No owner has this many rows. */
const mostSkipped = 2 ** 31 - 1

function wholeNumber(from: number, to: number, preset: number) {
  const message = `must be a whole number from ${from} to ${to}`
  return z
    .string({ error: message })
    .regex(/^(\d{1,10}|-[1-9]\d{0,9})$/, { error: message })
    .transform(Number)
    .refine((value) => value >= from && value <= to, { params: { code: 'out_of_range' }, message })
    .default(preset)
    .openapi({ type: 'integer', minimum: from, maximum: to, default: preset })
}

/** The requested part of a list. */
export const Page = z
  .object({
    skip: wholeNumber(0, mostSkipped, 0).openapi({ description: 'How many of the newest to leave out.' }),
    limit: wholeNumber(1, listLimit.most, listLimit.default).openapi({
      description: 'Most rows of the answer.',
    }),
  })
  .strict()
