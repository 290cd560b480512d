-- Requests of many callers for wrk. Arguments: file with one token a line, method, path (`{id}` stands for an id of
-- the caller's), what stands before the number of an id (its last six digits), tasks of each caller, body or nothing.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('seed', os.time() * 100 + threads)
end

local heads, tails = {}, {}
local prefix, tasks_each

function init(args)
  math.randomseed(seed)
  local path = args[3]
  prefix, tasks_each = args[4], tonumber(args[5])
  for token in io.lines(args[1]) do
    local headers = { ['Authorization'] = 'Bearer ' .. token }
    if args[6] then headers['Content-Type'] = 'application/json' end
    -- Everything is put together here once, so that the load costs as little as it can.
    local request = wrk.format(args[2], path, headers, args[6])
    local from, to = request:find('{id}', 1, true)
    heads[#heads + 1] = from and request:sub(1, from - 1) or request
    tails[#tails + 1] = from and request:sub(to + 1) or false
  end
end

function request()
  local caller = math.random(#heads)
  local tail = tails[caller]
  if not tail then return heads[caller] end
  local number = (caller - 1) * tasks_each + math.random(0, tasks_each - 1)
  return heads[caller] .. prefix .. string.format('%06d', number) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
