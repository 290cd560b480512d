/** JSON text of a value, made by Postgres or by `encode`. */
export type Encoded<T> = string & { readonly of?: T }

export function encode<T>(value: T): Encoded<T> {
  return JSON.stringify(value)
}

/** The result of an operation, without HTTP. Paths are those of the API, below its base path. */
export type Answer<T> =
  | {
      readonly status: 200 | 201
      readonly body: Encoded<T>
      /** Path of the new resource. */
      readonly location?: string
      /** Path of the next page of a list. */
      readonly next?: string | undefined
    }
  | { readonly status: 204 }
