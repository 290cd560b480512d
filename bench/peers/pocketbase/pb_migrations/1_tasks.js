/// The collection with its rules, and the same owners and tasks as everybody has: 1,000 × 100.

const owners = 1000
const tasksEach = 100

migrate((app) => {
  const ofCaller = 'owner_id = @request.auth.id'
  const users = app.findCollectionByNameOrId('users')
  const tasks = new Collection({
    type: 'base',
    name: 'tasks',
    listRule: ofCaller,
    viewRule: ofCaller,
    createRule: ofCaller,
    updateRule: ofCaller,
    deleteRule: ofCaller,
    fields: [
      { type: 'text', name: 'title', required: true, min: 1, max: 255 },
      { type: 'text', name: 'description', max: 10000 },
      {
        type: 'select',
        name: 'status',
        required: true,
        maxSelect: 1,
        values: ['Todo', 'InProgress', 'Done'],
      },
      { type: 'relation', name: 'owner_id', required: true, maxSelect: 1, collectionId: users.id },
      { type: 'autodate', name: 'created_at', onCreate: true },
      { type: 'autodate', name: 'updated_at', onCreate: true, onUpdate: true },
    ],
    indexes: ['create index tasks_newest_first on tasks (owner_id, created_at desc, id desc)'],
  })
  app.save(tasks)

  const now = "strftime('%Y-%m-%d %H:%M:%fZ', 'now')"
  // Nobody signs in with a password here, so that it is no hash does not matter.
  app
    .db()
    .newQuery(`
      with recursive owner(n) as (select 0 union all select n + 1 from owner where n < ${owners - 1})
      insert into users (id, tokenKey, email, password, verified, created, updated)
      select printf('owner%010d', n), lower(hex(randomblob(25))), printf('owner%d@example.com', n), 'none', true, ${now}, ${now}
      from owner`)
    .execute()
  app
    .db()
    .newQuery(`
      with recursive
        owner(n) as (select 0 union all select n + 1 from owner where n < ${owners - 1}),
        task(n) as (select 0 union all select n + 1 from task where n < ${tasksEach - 1}),
        made as (
          select owner.n owner, task.n task,
            strftime('%Y-%m-%d %H:%M:%fZ', 'now', printf('-%d hours', ${tasksEach} - task.n), printf('%d seconds', owner.n)) made
          from task, owner)
      insert into tasks (id, title, description, status, owner_id, created_at, updated_at)
      select printf('task00000%06d', owner * ${tasksEach} + task), printf('Task %d of owner %d', task, owner),
        case when task % 3 > 0 then 'Two litres, the one with the blue cap, and bread if there is any left.' else '' end,
        case task % 3 when 0 then 'Todo' when 1 then 'InProgress' else 'Done' end,
        printf('owner%010d', owner), made, made
      from made`)
    .execute()
})
