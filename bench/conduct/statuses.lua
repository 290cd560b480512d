-- What load.lua does, and counts answers by status. The environment names that file.
dofile(os.getenv('LOAD_LUA'))

local all = {}
local setup_one = setup
function setup(thread)
  setup_one(thread)
  all[#all + 1] = thread
end

counts = {}
function response(status)
  local key = tostring(status)
  counts[key] = (counts[key] or 0) + 1
end

function done(summary, latency)
  local statuses = {}
  for _, thread in ipairs(all) do
    for status, count in pairs(thread:get('counts')) do
      statuses[#statuses + 1] = string.format('"%s":%d', status, count)
    end
  end
  local errors = summary.errors
  io.write(string.format(
    '\n{"seconds":%f,"p50Ms":%f,"p99Ms":%f,"statuses":{%s},"failures":{"connect":%d,"read":%d,"write":%d,"timeout":%d}}\n',
    summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    table.concat(statuses, ','), errors.connect, errors.read, errors.write, errors.timeout
  ))
end
