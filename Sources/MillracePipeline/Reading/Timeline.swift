/// How many rows a stage or a source had done at which time: read from its batches.
struct Timeline: Sendable {
    /// Times in nanoseconds since 1970, and the rows of the batch appended then.
    private(set) var events: [(time: Int64, rows: Int)] = []
    /// Pauses longer than this are not work: the process was not running.
    static let pauseNanoseconds: Int64 = 1_000_000_000

    mutating func add(time: Int64, rows: Int) { events.append((time, rows)) }

    mutating func sort() { events.sort { $0.time < $1.time } }

    var rows: Int { events.reduce(0) { $0 + $1.rows } }

    /// Seconds from append to append, pauses left out.
    var activeSeconds: Double { active.reduce(0) { $0 + Double($1.nanoseconds) / 1e9 } }

    /// Rows whose append ended one of those spans: the first batch, and the first after a pause,
    /// took a time that nobody recorded.
    var activeRows: Int { active.reduce(0) { $0 + $1.rows } }

    private var active: [(nanoseconds: Int64, rows: Int)] {
        zip(events, events.dropFirst()).compactMap { before, event in
            let gap = event.time - before.time
            return gap > Self.pauseNanoseconds ? nil : (gap, event.rows)
        }
    }

    /// Rows done at each of `times`, which ascend.
    func cumulative(at times: [Int64]) -> [Int] {
        var index = 0
        var sum = 0
        return times.map { time in
            while index < events.count, events[index].time <= time {
                sum += events[index].rows
                index += 1
            }
            return sum
        }
    }
}
