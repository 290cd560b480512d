'use client'

import { authClient } from '../lib/auth-client'
import { SignUp } from './sign-up'
import { Tasks } from './tasks'

export default function Page() {
  const { data, isPending } = authClient.useSession()
  if (isPending) return <p>Loading</p>
  if (data === null) return <SignUp />
  return (
    <main>
      <p>Signed in as {data.user.name}</p>
      <button type="button" onClick={() => authClient.signOut()}>
        Sign out
      </button>
      <Tasks key={data.user.id} />
    </main>
  )
}
