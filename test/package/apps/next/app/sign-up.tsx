import { authClient } from '../lib/auth-client'

export function SignUp() {
  async function signUp(form: FormData) {
    const field = (name: string) => String(form.get(name))
    await authClient.signUp.email({ name: field('name'), email: field('email'), password: field('password') })
  }
  return (
    <form action={signUp}>
      <input name="name" placeholder="Name" />
      <input name="email" placeholder="E-mail" />
      <input name="password" placeholder="Password" type="password" />
      <button type="submit">Sign up</button>
    </form>
  )
}
