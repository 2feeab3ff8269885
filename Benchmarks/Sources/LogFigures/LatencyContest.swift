internal import BenchmarkSupport
internal import Foundation
internal import MillraceLog
internal import Synchronization

/// From an append to its rows being visible in another pinned thread, one row of 256 bytes a batch.
struct LatencyContest: Contest {
    private static let rounds = 20_000
    /// Bytes of a row and its header.
    private static let written = 128 + DigitRows.rowBytes
    private static let cores = (0, 1)

    private enum Opponent { case pingPongAndWrite, pingPong, handOver }

    private let opponent: Opponent
    private let mode: AppendMode
    /// Which of the ordered times counts, in percent.
    private let percentile: Int
    private let directory: WorkDirectory

    private init(_ mode: AppendMode, _ opponent: Opponent, percentile: Int) throws {
        self.mode = mode
        self.opponent = opponent
        self.percentile = percentile
        directory = try WorkDirectory()
    }

    func bare() throws -> Double {
        let path = directory.path + "/bare"
        if opponent == .handOver {
            return value(
                of: try Bare.handOver(
                    path, Self.cores, bytes: Self.written, rounds: Self.rounds))
        }
        let oneWay = value(of: try Bare.pingPong(Self.cores, rounds: Self.rounds))
        guard opponent == .pingPongAndWrite else { return oneWay }
        let writes = try Bare.smallWrites(path, bytes: Self.written, count: Self.rounds)
        return oneWay + value(of: writes)
    }

    func ours() throws -> Double {
        let log = try DigitLog(codec: .none)
        let race = Race()
        let thread = Thread {
            let times = Result { try Self.watch(log, race) }
            race.isOver.store(true, ordering: .releasing)
            race.seen.withLock { $0 = times }
            race.ended.signal()
        }
        thread.start()
        let starts = Result { try Self.write(log, mode, race) }
        race.isOver.store(true, ordering: .releasing)
        race.ended.wait()
        let ends = try race.seen.withLock { try $0.get() }
        return value(of: try zip(starts.get(), ends).map { $1 - $0 })
    }

    /// Appends one row after another, each when the one before was seen; returns the times before.
    private static func write(
        _ log: DigitLog, _ mode: AppendMode, _ race: Race
    ) throws -> [Int64] {
        var times = [Int64](repeating: 0, count: rounds)
        var writer = try log.topic.writer(partition: 0, mode: mode)
        var builder = BatchBuilder(columns: DigitRows.columns)
        for round in 0..<rounds {
            var row = builder.addRows(1)
            for column in 0..<DigitRows.columns { row[column] = Float(round) }
            times[round] = Bare.now()
            try writer.append(&builder)
            while race.rowsSeen.load(ordering: .acquiring) <= round {
                if race.isOver.load(ordering: .acquiring) { return times }
            }
        }
        try writer.close()
        return times
    }

    /// Looks for rows without a pause; returns the time at which each was there.
    private static func watch(_ log: DigitLog, _ race: Race) throws -> [Int64] {
        try Bare.pin(to: cores.1)
        var times = [Int64](repeating: 0, count: rounds)
        var reader = try log.topic.reader(partition: 0)
        var seen = 0
        while seen < rounds {
            guard let batch = try reader.next() else {
                if race.isOver.load(ordering: .acquiring) { break }
                continue
            }
            times[seen] = Bare.now()
            guard batch.matrix[0] == Float(seen) else {
                throw Bare.Failure(description: "row \(seen) has other content")
            }
            seen += 1
            race.rowsSeen.store(seen, ordering: .releasing)
        }
        guard seen == rounds else {
            throw Bare.Failure(description: "\(seen) of \(rounds) rows were seen")
        }
        return times
    }

    private func value(of times: [Int64]) -> Double {
        let ordered = times.sorted()
        return Double(ordered[(ordered.count - 1) * percentile / 100])
    }

    static let figures = [50, 99].flatMap { percentile in
        [
            figure(
                "Append to visible in another thread", .write, .pingPongAndWrite, percentile,
                beside: "half a round trip over a shared word, and one `pwrite` of 384 bytes",
                .below(2), limit: "the system call"),
            figure(
                "Mapped append to visible in another thread", .mapped, .pingPong, percentile,
                beside: "half a round trip over a shared word", .below(3),
                limit: "four checksums, and seven cache lines that change processors"),
            figure(
                "Mapped append beside the least work", .mapped, .handOver, percentile,
                beside: "384 bytes and two checksums copied, published, seen and verified by hand",
                .nothing, limit: "copies of headers, the clock, the lock"),
        ]
    }

    private static func figure(
        _ name: String, _ mode: AppendMode, _ opponent: Opponent, _ percentile: Int,
        beside: String, _ asked: Figure.Asked, limit: String
    ) -> Figure {
        Figure(
            name: "\(name), percentile \(percentile)", bare: beside, unit: "ns",
            asked: percentile == 50 ? asked : .nothing, limit: limit,
            contest: { try LatencyContest(mode, opponent, percentile: percentile) })
    }
}

/// What the two threads of a sample share.
private final class Race: Sendable {
    let rowsSeen = Atomic(0)
    /// Whether one of the threads has ended.
    let isOver = Atomic(false)
    let seen = Mutex(Result<[Int64], any Error>.success([]))
    let ended = DispatchSemaphore(value: 0)
}
