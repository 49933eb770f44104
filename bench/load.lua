-- Sends the requests of a plan file, one after the other and round again, and prints one line of
-- JSON at the end. A plan is whole HTTP/1.1 requests separated by NUL (bench/load.py writes it).
local plan = {}
local at = 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do
    plan[#plan + 1] = request
  end
  file:close()
end

function request()
  at = at % #plan + 1
  return plan[at]
end

function done(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_us":%.0f,"p99_us":%.0f,"max_us":%.0f,"failed":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50), latency:percentile(99), latency.max, failed))
end
