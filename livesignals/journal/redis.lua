-- All that a Redis journal does in its server, each call as one atomic step. See redis.py for the keys.
--
-- ARGV: the operation, the project ("": any), an epoch to begin if one has to begin, "" or "cluster", then what the
-- operation takes.
-- Returns {"ok", …}, {"foreign", what it is}, or what the operation says.

local META, EVENTS, DIRECTORY, PROCESSES, BATCHES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local OUTCOMES, STATES, PENDING, PINS, KEPT, KEPT_DIRECTORY = KEYS[6], KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local FORMAT = '1'
local KEPT_OUTCOMES = 10000

local call = redis.call
local meta, changed = {}, {}

local function paired(flat)
    local pairs_of = {}
    for i = 1, #flat, 2 do pairs_of[flat[i]] = flat[i + 1] end
    return pairs_of
end

-- Saved once, at the end.
local function set(name, value)
    meta[name] = tostring(value)
    changed[name] = true
end

local function save()
    local flat = {}
    for name in pairs(changed) do
        flat[#flat + 1] = name
        flat[#flat + 1] = meta[name]
    end
    if #flat > 0 then call('HSET', META, unpack(flat)) end
end

local function number(name) return tonumber(meta[name]) or 0 end

local function wrote() set('writes', number('writes') + 1) end

-- Beginning

local function new_epoch(run, notice)
    set('epoch', ARGV[3])
    set('run', run)
    set('notice', notice)
    wrote()
end

local function empty()
    call('UNLINK', EVENTS, DIRECTORY, OUTCOMES, STATES, PENDING, PINS, KEPT, KEPT_DIRECTORY)
    for name in pairs(meta) do
        if string.sub(name, 1, 7) == 'family:' then
            set(name, 0)
        end
    end
    set('evicted', number('last'))
    for _, name in ipairs({'bytes', 'entries', 'pins'}) do set(name, 0) end
end

local function begin(run, notice)
    call('DEL', PROCESSES, BATCHES)
    set('format', FORMAT)
    set('project', ARGV[2])
    for _, name in ipairs({'last', 'outcome', 'pinning', 'writes'}) do set(name, 0) end
    empty()
    call('HSET', PROCESSES, '', '')
    new_epoch(run, notice)
end

-- Begins a journal, or a new epoch of one that Redis did not keep as it was. What is foreign is said.
local function settle()
    meta = paired(call('HGETALL', META))
    -- A restart may have lost the newest ids, which would then be given again: another run is another epoch.
    local run = string.match(call('INFO', 'server'), 'run_id:(%x+)') or ''
    if next(meta) == nil then
        local rest = call('EXISTS', EVENTS, DIRECTORY, PROCESSES)
        begin(run, rest > 0 and 'Redis had thrown away a part of the journal; it began anew.' or '')
    elseif meta.format ~= FORMAT then
        return 'format'
    elseif meta.project ~= ARGV[2] and meta.project ~= '' and ARGV[2] ~= '' then
        return 'project'
    elseif call('EXISTS', PROCESSES) == 0 then
        begin(run, 'Redis had thrown away a part of the journal; it began anew.')
    elseif call('XLEN', EVENTS) ~= number('entries') or call('XLEN', DIRECTORY) ~= number('entries') then
        empty()
        new_epoch(run, 'Redis had thrown away the events of the journal; it went on without them.')
    elseif meta.run ~= run then
        new_epoch(run, 'Redis was restarted or another server took over; what it had not saved is gone.')
    end
    -- Who names the journal shares it, and may have begun it anew after Redis forgot it and whose it was.
    if meta.project == '' and ARGV[2] ~= '' then set('project', ARGV[2]) end
end

-- The ring

local function fields_of(entry) return paired(entry[2]) end

local function last_of(entry) return tonumber(string.match(entry[1], '^%d+')) end

local function pinned_ranges()
    local ranges = {}
    if number('pins') > 0 then
        for _, range in ipairs(call('HVALS', PINS)) do
            local first, last = string.match(range, '^(%d+) (%d+)$')
            ranges[#ranges + 1] = {tonumber(first), tonumber(last)}
        end
    end
    return ranges
end

local function touches(ranges, first, last)
    for _, range in ipairs(ranges) do
        if range[1] <= last and first <= range[2] then return true end
    end
    return false
end

-- An entry is gone: transactions that no entry names any more are forgotten.
local function release(fields)
    if fields.pending == '' then return end
    for transaction, count in pairs(cmsgpack.unpack(fields.pending)) do
        if call('HINCRBY', PENDING, transaction, -count) <= 0 then
            call('HDEL', PENDING, transaction)
            call('HDEL', STATES, transaction)
        end
    end
end

local function keep(id)
    for from, to in pairs({[EVENTS] = KEPT, [DIRECTORY] = KEPT_DIRECTORY}) do
        local entry = call('XRANGE', from, id, id)[1]
        call('XADD', to, id, unpack(entry[2]))
    end
end

-- Evicts the oldest events until the limits are kept, at most so many. Says how many.
local function evict(keep_events, keep_bytes, most)
    local last, evicted, bytes, entries = number('last'), number('evicted'), number('bytes'), number('entries')
    local before, families, ranges, whole = evicted, {}, pinned_ranges(), false
    local function is_over() return last > evicted and (last - evicted > keep_events or bytes > keep_bytes) end
    while most > 0 and is_over() do
        local entry = call('XRANGE', DIRECTORY, (evicted + 1) .. '-0', '+', 'COUNT', 1)[1]
        local fields, entry_last = fields_of(entry), last_of(entry)
        local first = entry_last - tonumber(fields.n) + 1
        local names, numbers, sizes = unpack(cmsgpack.unpack(fields.evict))
        while most > 0 and evicted < entry_last and is_over() do
            local place = evicted - first + 2
            local family = names[numbers[place] + 1]
            families[family] = (families[family] or 0) + 1
            bytes = bytes - sizes[place]
            evicted = evicted + 1
            most = most - 1
        end
        if evicted == entry_last then
            entries = entries - 1
            whole = true
            if touches(ranges, first, entry_last) then keep(entry[1]) else release(fields) end
        end
    end
    if evicted > before then
        if whole then
            call('XTRIM', EVENTS, 'MINID', (evicted + 1) .. '-0')
            call('XTRIM', DIRECTORY, 'MINID', (evicted + 1) .. '-0')
        end
        for family, count in pairs(families) do
            set('family:' .. family, number('family:' .. family) - count)
        end
        set('evicted', evicted)
        set('bytes', bytes)
        set('entries', entries)
    end
    return evicted - before
end

-- What was set for all processes, or else what is said.
local function retained(name, otherwise)
    local set_for_all = number(name)
    return set_for_all > 0 and set_for_all or tonumber(otherwise)
end

local operations = {}

local function add(last, count, payload, pending, bytes, families, evict_columns, times, roots, causes, errors)
    local id = last .. '-0'
    call('XADD', EVENTS, id, 'payload', payload, 'pending', pending)
    call('XADD', DIRECTORY, id, 'n', count, 'evict', evict_columns, 'times', times, 'roots', roots, 'causes', causes,
        'errors', errors, 'pending', pending)
    if pending ~= '' then
        for transaction, events in pairs(cmsgpack.unpack(pending)) do call('HINCRBY', PENDING, transaction, events) end
    end
    for family, events in pairs(cmsgpack.unpack(families)) do
        set('family:' .. family, number('family:' .. family) + events)
    end
    set('bytes', number('bytes') + tonumber(bytes))
    set('entries', number('entries') + 1)
end

-- What channels_redis's pub/sub layer makes of a message, so that it is announced in the step that stores it: in the
-- order of ids over all processes, and without being transferred twice.
local function announce(channel, first, last, payloads, is_whole)
    -- A node of a cluster does not know who listens to the others.
    if ARGV[4] == '' and redis.pcall('PUBSUB', 'NUMSUB', channel)[2] == 0 then return end
    local message = {type = 'livesignals.batch', epoch = meta.epoch, after = first - 1, last = last}
    if is_whole then message.bodies = table.concat(payloads, '\n') end
    redis.pcall('PUBLISH', channel, cmsgpack.pack(message)) -- who may not, is found by those who look
end

-- Stores a batch: its process, its name, the limits of the ring by its settings and to what share of them it is trimmed,
-- where it is announced and with how many bytes at most; how many entries it has, and what each has: the arguments of
-- `add` but for the first. Then of rows of processes: name, what it has to be, what it shall be.
function operations.append(process, batch, retain_events, retain_bytes, trimmed, channel, most_announced, entries, ...)
    local rest, parts = {...}, 10
    local rows = tonumber(entries) * parts + 1
    if rows > 1 then
        local stored = call('HGET', BATCHES, process)
        local name, first, last = string.match(stored or '', '^(%S+) (%d+) (%d+)$')
        -- The answer was lost on its way, and the process tries again.
        if name == batch then return {'ok', meta.epoch, tonumber(first), tonumber(last)} end
    end
    for i = rows, #rest, 3 do
        if (call('HGET', PROCESSES, rest[i]) or '') ~= rest[i + 1] then
            return {'rows', meta.epoch, call('HGETALL', PROCESSES)}
        end
    end
    local first, last, payloads, size = number('last') + 1, number('last'), {}, 0
    for i = 1, rows - 1, parts do
        last = last + tonumber(rest[i])
        add(last, unpack(rest, i, i + parts - 1))
        payloads[#payloads + 1] = rest[i + 1]
        size = size + #rest[i + 1]
    end
    for i = rows, #rest, 3 do
        if rest[i + 2] == '' and rest[i] ~= '' then
            call('HDEL', PROCESSES, rest[i])
            call('HDEL', BATCHES, rest[i])
        else
            call('HSET', PROCESSES, rest[i], rest[i + 2])
        end
    end
    wrote()
    if rows > 1 then
        call('HSET', BATCHES, process, batch .. ' ' .. first .. ' ' .. last)
        set('last', last)
        local events, bytes = retained('retain_events', retain_events), retained('retain_bytes', retain_bytes)
        if last - number('evicted') > events or number('bytes') > bytes then
            evict(math.max(1, math.floor(events * trimmed)), math.floor(bytes * trimmed), 2 * (last - first + 1))
        end
        announce(channel, first, last, payloads, size <= tonumber(most_announced))
    end
    return {'ok', meta.epoch, first, last}
end

-- Writes how transactions ended, as pairs. Says how many events that concerns.
local function resolve(outcomes)
    local resolved, outcome = 0, number('outcome')
    for i = 1, #outcomes, 2 do
        local transaction, state = outcomes[i], outcomes[i + 1]
        local events = tonumber(call('HGET', PENDING, transaction) or 0)
        local known = events > 0 and call('HGET', STATES, transaction)
        -- Unknown are those of a process that was taken for gone. It may be alive after all.
        if events > 0 and (not known or known == 'unknown' and state ~= known) then
            call('HSET', STATES, transaction, state)
            resolved = resolved + events
            outcome = outcome + 1
            call('XADD', OUTCOMES, outcome .. '-0', 'transaction', transaction, 'state', state)
        end
    end
    call('XTRIM', OUTCOMES, 'MINID', math.max(outcome - KEPT_OUTCOMES + 1, 0) .. '-0')
    set('outcome', outcome)
    wrote()
    return resolved
end

function operations.resolve(...) return {'ok', resolve({...})} end

-- Takes processes for gone, each as its name, what its row has to be and what it shall be. Says of how many that was so.
function operations.gone(...)
    local rows, gone, outcomes = {...}, {}, {}
    local count = 0
    for i = 1, #rows, 3 do
        if call('HGET', PROCESSES, rows[i]) == rows[i + 1] then
            call('HSET', PROCESSES, rows[i], rows[i + 2])
            gone[rows[i]] = true
            count = count + 1
        end
    end
    if count > 0 then
        for _, transaction in ipairs(call('HKEYS', PENDING)) do
            if gone[string.match(transaction, '^(.*)-') or ''] then
                outcomes[#outcomes + 1] = transaction
                outcomes[#outcomes + 1] = 'unknown'
            end
        end
        resolve(outcomes)
    end
    return {'ok', count}
end

-- For all processes; "" for what the settings of each say.
function operations.retain(events, bytes)
    set('retain_events', events)
    set('retain_bytes', bytes)
    wrote()
    return {'ok'}
end

function operations.outcomes(after)
    local outcomes = {}
    for _, entry in ipairs(call('XRANGE', OUTCOMES, (tonumber(after) + 1) .. '-0', '+')) do
        local fields = fields_of(entry)
        outcomes[#outcomes + 1] = {last_of(entry), fields.transaction, fields.state}
    end
    return {'ok', outcomes}
end

function operations.evict(keep_events, keep_bytes, most)
    call('HDEL', META, '') -- a first write that is allowed while memory is full lets those that follow pass, too
    local evicted = evict(tonumber(keep_events), tonumber(keep_bytes), tonumber(most))
    wrote()
    return {'ok', evicted}
end

function operations.clear()
    empty()
    new_epoch(meta.run, '')
    return {'ok'}
end

-- Reading

function operations.bounds() return {'ok', meta.epoch, number('evicted') + 1, number('last')} end

function operations.figures()
    save()
    return {'ok', call('HGETALL', META), call('HGETALL', PROCESSES)}
end

-- What a reader's directory lacks that is of an epoch and knows the entries up to an id, at most so many entries.
function operations.sync(epoch, known, most)
    known, most = tonumber(known), tonumber(most)
    if epoch ~= meta.epoch then known = 0 end
    local entries = {}
    for _, stream in ipairs({KEPT_DIRECTORY, DIRECTORY}) do
        if #entries < most then
            for _, entry in ipairs(call('XRANGE', stream, (known + 1) .. '-0', '+', 'COUNT', most - #entries)) do
                local fields = fields_of(entry)
                entries[#entries + 1] = {
                    last_of(entry), tonumber(fields.n), fields.times, fields.roots, fields.causes, fields.errors
                }
            end
        end
    end
    return {'ok', meta.epoch, number('evicted'), number('last'), call('HGETALL', PINS), number('pinning'), entries}
end

-- Lines of a text, by their numbers, ascending.
local function picked(text, numbers)
    local lines, line, from = {}, 1, 1
    for wanted in string.gmatch(numbers, '%d+') do
        for _ = line, tonumber(wanted) - 1 do from = string.find(text, '\n', from, true) + 1 end
        line = tonumber(wanted)
        local to = string.find(text, '\n', from, true)
        lines[#lines + 1] = string.sub(text, from, to and to - 1 or -1)
    end
    return table.concat(lines, '\n')
end

-- The bodies in entries, and how transactions ended that were pending when they were stored. Each entry is followed by
-- the places of those that are wanted; by "" when all are.
function operations.fetch(...)
    local asked, payloads, states, seen = {...}, {}, {}, {}
    for i = 1, #asked, 2 do
        local id, places = asked[i], asked[i + 1]
        local entry = call('XRANGE', EVENTS, id .. '-0', id .. '-0')[1] or
            call('XRANGE', KEPT, id .. '-0', id .. '-0')[1]
        if entry then
            local fields = fields_of(entry)
            local payload = places == '' and fields.payload or picked(fields.payload, places)
            payloads[#payloads + 1] = {tonumber(id), payload}
            if fields.pending ~= '' then
                for transaction in pairs(cmsgpack.unpack(fields.pending)) do
                    local state = not seen[transaction] and call('HGET', STATES, transaction)
                    seen[transaction] = true
                    if state then
                        states[#states + 1] = transaction
                        states[#states + 1] = state
                    end
                end
            end
        end
    end
    return {'ok', meta.epoch, payloads, states}
end

-- Pins

-- The bytes of events in ranges of ids: first, last, first, last, …
function operations.weigh(...)
    local ranges, weight = {...}, 0
    for i = 1, #ranges, 2 do
        local begin_id, end_id = tonumber(ranges[i]), tonumber(ranges[i + 1])
        for _, stream in ipairs({KEPT_DIRECTORY, DIRECTORY}) do
            local from = begin_id
            while from <= end_id do
                local entry = call('XRANGE', stream, from .. '-0', '+', 'COUNT', 1)[1]
                if not entry then break end
                local fields, entry_last = fields_of(entry), last_of(entry)
                local first = entry_last - tonumber(fields.n) + 1
                local sizes = cmsgpack.unpack(fields.evict)[3]
                for id = math.max(first, from), math.min(entry_last, end_id) do
                    weight = weight + sizes[id - first + 1]
                end
                from = entry_last + 1
            end
        end
    end
    return {'ok', weight}
end

-- Unless anything was pinned or let go since, or a part of the range was evicted.
function operations.pin(name, first, last, epoch, pinning)
    if epoch ~= meta.epoch or tonumber(pinning) ~= number('pinning') or tonumber(first) <= number('evicted') then
        return {'ok', 0}
    end
    call('HSET', PINS, name, first .. ' ' .. last)
    set('pins', number('pins') + 1)
    set('pinning', number('pinning') + 1)
    wrote()
    return {'ok', 1}
end

function operations.unpin(name)
    local range = call('HGET', PINS, name)
    if not range then return {'ok', 0} end
    call('HDEL', PINS, name)
    set('pins', number('pins') - 1)
    set('pinning', number('pinning') + 1)
    local from, last = string.match(range, '^(%d+) (%d+)$')
    local ranges = pinned_ranges()
    from, last = tonumber(from), tonumber(last)
    while from <= last do
        local entry = call('XRANGE', KEPT_DIRECTORY, from .. '-0', '+', 'COUNT', 1)[1]
        if not entry then break end
        local fields, entry_last = fields_of(entry), last_of(entry)
        local first = entry_last - tonumber(fields.n) + 1
        if first > last then break end
        if not touches(ranges, first, entry_last) then
            release(fields)
            call('XDEL', KEPT, entry[1])
            call('XDEL', KEPT_DIRECTORY, entry[1])
        end
        from = entry_last + 1
    end
    wrote()
    return {'ok', 1}
end

local foreign = settle()
if foreign then return {'foreign', foreign, meta.project or ''} end
local answer = operations[ARGV[1]](unpack(ARGV, 5))
save()
return answer
