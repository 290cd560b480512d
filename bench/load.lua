-- Requests of many callers for wrk. Arguments: file with a token and its owner a line, method, path, what stands
-- before the number of an id (its last six digits), tasks of each caller, body or nothing. In the path `{id}` stands
-- for an id of the caller's, in the body `{owner}` for the caller and `{count}` for seven digits, each time others.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set('seed', os.time() * 100 + threads)
end

local heads, middles, tails = {}, {}, {}
local prefix, tasks_each
local count

local function split(text, mark)
  local from, to = text:find(mark, 1, true)
  if not from then return text, false end
  return text:sub(1, from - 1), text:sub(to + 1)
end

function init(args)
  math.randomseed(seed)
  count = math.random(0, 9999999)
  local path = args[3]
  prefix, tasks_each = args[4], tonumber(args[5])
  for line in io.lines(args[1]) do
    local token, owner = line:match('^(%S+) (%S+)$')
    local headers = { ['Authorization'] = 'Bearer ' .. token }
    local body = args[6]
    if body then
      headers['Content-Type'] = 'application/json'
      body = body:gsub('{owner}', owner)
    end
    -- Everything is put together here once, so that the load costs as little as it can. The mark of a count is as
    -- long as what takes its place, or Content-Length would be wrong.
    local head, rest = split(wrk.format(args[2], path, headers, body), '{id}')
    local i = #heads + 1
    heads[i] = head
    middles[i], tails[i] = false, false
    if rest then middles[i], tails[i] = split(rest, '{count}') end
  end
end

function request()
  local caller = math.random(#heads)
  local middle = middles[caller]
  if not middle then return heads[caller] end
  local number = (caller - 1) * tasks_each + math.random(0, tasks_each - 1)
  local start = heads[caller] .. prefix .. string.format('%06d', number) .. middle
  local tail = tails[caller]
  if not tail then return start end
  count = (count + 1) % 10000000
  return start .. string.format('%07d', count) .. tail
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"refused":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
