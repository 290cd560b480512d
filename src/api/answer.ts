/** JSON text of a value, made by Postgres or by `encode`. */
export type Encoded<T> = string & { readonly of?: T }

export function encode<T>(value: T): Encoded<T> {
  return JSON.stringify(value)
}

/** What an operation answers, without HTTP. Paths are those of the API, below its base path. */
export type Answer<T> =
  | {
      readonly status: 200 | 201
      readonly body: Encoded<T>
      /** Where the new resource is. */
      readonly location?: string
      /** Where a list goes on. */
      readonly next?: string | undefined
    }
  | { readonly status: 204 }
