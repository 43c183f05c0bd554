-- wrk ... URL -- METHOD PATH BODY any|each FIRST LAST THREADS [TOKENS]
--
-- Sends one request over and over. A PATH with {id} in it takes session numbers from FIRST to LAST:
-- any of them, or each of them once, shared out over the threads. TOKENS is a file with tokens of many
-- accounts, one on each line, that take turns by the number. Writes a line of JSON at the end.

local threads = {}

function setup(thread)
   thread:set("place", #threads)
   table.insert(threads, thread)
end

function init(args)
   local method, path, body, order, first, last, count, file = unpack(args)
   first, last, count = tonumber(first), tonumber(last), tonumber(count)

   local tokens = {}
   if file then
      for token in io.lines(file) do
         tokens[#tokens + 1] = token
      end
   end

   local function written(id)
      if file then
         wrk.headers["Authorization"] = "Bearer " .. tokens[id % #tokens + 1]
      end
      return wrk.format(method, (path:gsub("{id}", id)), nil, body)
   end

   next_id = first + place
   if order == "each" then
      request = function()
         local id = next_id
         next_id = id + count
         return written(id)
      end
   else
      -- Written beforehand, so that the load costs as little as it can beside the server.
      local requests = {}
      for id = first, last do
         requests[#requests + 1] = written(id)
      end
      math.randomseed(place)
      request = function()
         return requests[math.random(#requests)]
      end
   end
end

function done(summary, latency)
   local errors = summary.errors
   local next_free = 0
   for _, thread in ipairs(threads) do
      next_free = math.max(next_free, thread:get("next_id"))
   end
   io.write(string.format(
      '{"requests": %d, "us": %d, "failed": %d, "p50_us": %d, "p99_us": %d, "next_id": %d}\n',
      summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout,
      latency:percentile(50), latency:percentile(99), next_free))
end
