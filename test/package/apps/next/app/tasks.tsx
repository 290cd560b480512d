import { useCallback, useEffect, useState } from 'react'
import { callApi } from '../lib/api'

type Task = { id: string; title: string; status: 'Todo' | 'InProgress' | 'Done' }

export function Tasks() {
  const [tasks, setTasks] = useState<Task[]>()
  const load = useCallback(async () => setTasks(await callApi('GET', '/tasks')), [])
  useEffect(() => {
    load()
  }, [load])

  async function add(form: FormData) {
    await callApi('POST', '/tasks', { title: form.get('title') })
    await load()
  }
  async function complete({ id }: Task) {
    await callApi('PATCH', `/tasks/${id}`, { status: 'Done' })
    await load()
  }

  if (tasks === undefined) return <p>Loading tasks</p>
  return (
    <>
      <form action={add}>
        <input name="title" placeholder="New task" />
        <button type="submit">Add</button>
      </form>
      {tasks.length === 0 && <p>No tasks</p>}
      <ul>
        {tasks.map((task) => (
          <li key={task.id}>
            {task.title} ({task.status})
            <button type="button" onClick={() => complete(task)}>
              Complete
            </button>
          </li>
        ))}
      </ul>
    </>
  )
}
