import MillraceSystem
import MillraceTestSupport

@testable import MillraceLog

/// A workload and the record of what it did to its disk.
final class PowerLossTrace {
    let shape: WorkloadShape
    private let history: LogHistory
    private let disk: SimulatedDisk
    private let stage: MemoryDirectory

    /// How many things a workload does, and how many after a first loss of power.
    private static let steps = 45
    private static let laterSteps = 12

    init(seed: UInt64) throws {
        shape = WorkloadShape(seed: seed)
        stage = try MemoryDirectory()
        let root = stage.path + "/first"
        try Files.createDirectory(root)
        let disk = try SimulatedDisk(root: root)
        defer { disk.stop() }
        self.disk = disk
        let workload = try LogWorkload(
            shape, seed: seed, at: root, after: LogHistory(), moment: { disk.mark() })
        try workload.run(steps: Self.steps)
        history = workload.history
    }

    /// Moments of the record.
    var end: Int { disk.mark() }

    /// The last things that happened before a moment.
    func record(around moment: Int) -> String {
        disk.record(max(0, moment - 40)..<moment)
    }

    /// Lets the power go and checks what is left; once more, in some cases, after a while.
    func check(_ cut: PowerLossTests.Cut) throws {
        var random = SplitMix64(seed: cut.disk)
        let path = stage.path + "/second"
        try disk.materialize(upTo: cut.moment, seed: cut.disk, into: path)
        defer { Self.remove(path) }
        guard random.next() % 4 == 0 else {
            let power = RestartedMachine(boot: 2)
            try power.run(on: path) { _ = try opened(path, history, cut.moment, cut.disk, { 0 }) }
            return
        }
        let disk = try SimulatedDisk(root: path, boot: 2)
        let later: LogHistory
        do {
            defer { disk.stop() }
            let next = try opened(path, history, cut.moment, cut.disk, { disk.mark() })
            let workload = try LogWorkload(
                shape, seed: cut.disk, at: path, after: next, moment: { disk.mark() })
            try workload.run(steps: Self.laterSteps)
            later = workload.history
        }
        let end = disk.mark()
        let moments = (0..<2).map { _ in Int(random.next() % UInt64(end + 1)) }
        for moment in moments.sorted() {
            let third = stage.path + "/third"
            let seed = random.next()
            try disk.materialize(upTo: moment, seed: seed, into: third)
            defer { Self.remove(third) }
            do {
                try RestartedMachine(boot: 3).run(on: third) {
                    _ = try opened(third, later, moment, seed, { 0 })
                }
            } catch {
                throw PowerLossFault(
                    description: "in the second loss, at \(moment) of \(end) with \(seed): "
                        + "\(error)\n" + disk.record(max(0, moment - 60)..<moment))
            }
        }
    }

    private func opened(
        _ path: String, _ history: LogHistory, _ moment: Int, _ seed: UInt64,
        _ now: () -> Int
    ) throws -> LogHistory {
        var oracle = try PowerLossOracle(history, shape, at: moment, path: path)
        try oracle.check(seed: seed)
        let next = try oracle.retry(at: now)
        for place in oracle.places {
            let seen = try PowerLossOracle.read(oracle.topic(place), place.partition)
            let expected = next[place].batches.suffix(seen.count)
            guard zip(seen, expected).allSatisfy({ PowerLossOracle.matches($0, $1) }) else {
                throw PowerLossFault(description: "\(place): changed by what came after")
            }
        }
        return next
    }

    private static func remove(_ path: String) {
        do { try Files.removeTree(path) } catch { print("cannot remove \(path): \(error)") }
    }
}

/// The same files in a machine that was started again; what it syncs need not last.
final class RestartedMachine: DiskObserver {
    private let boot: UInt64

    init(boot: UInt64) { self.boot = boot }

    func run(on prefix: String, _ body: () throws -> Void) rethrows {
        DiskObservation.install(self, on: prefix)
        defer { DiskObservation.remove(self) }
        try body()
    }

    func willPerform(_ call: DiskCall) -> DiskAnswer {
        switch call.kind {
        case .sync, .syncData, .syncMap: .pretend
        default: .proceed
        }
    }

    func bootID(for path: String) -> UInt64? { boot }
}

/// A directory in memory, where there is one, that is removed when the test lets go of it.
final class MemoryDirectory: Sendable {
    let path: String

    init() throws {
        let memory = "/dev/shm"
        let above = Files.isDirectory(memory) ? memory : "/tmp"
        path =
            "\(above)/millrace-power-\(Clock.monotonicNanoseconds())-\(UInt32.random(in: 0...UInt32.max))"
        try Files.createDirectory(path)
    }

    deinit { try? Files.removeTree(path) }
}
