import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

@testable import MillraceLog

/// The Nth call fails, for every N, once or from then on.
///
/// Stores into the control page and into mapped segments cannot fail: their space is allocated
/// before. `MILLRACE_FAULTS` tells how many N are passed over after each that is tried (15; the
/// long run takes 0), `MILLRACE_FAULTS_FIRST` the first N.
@Suite struct FailingCallTests {
    /// What happens to a call.
    enum Kind: String, CaseIterable, CustomTestStringConvertible {
        case inputOutputError, noSpace, interrupted, shortByOne, shortByMost

        var fault: FaultPlan.Fault {
            switch self {
            case .inputOutputError: .error(EIO)
            case .noSpace: .error(ENOSPC)
            case .interrupted: .error(EINTR)
            case .shortByOne: .short(by: 1)
            case .shortByMost: .short(by: 1 << 20)
            }
        }

        /// Whether callers never hear of it.
        var isHidden: Bool { ![.inputOutputError, .noSpace].contains(self) }
        var testDescription: String { rawValue }
    }

    private static let passedOver = Environment.number("MILLRACE_FAULTS", or: 15)

    @Test(arguments: Kind.allCases)
    func once(_ kind: Kind) throws {
        let count = try Self.forEach(kind.fault, .once) { plan, log in
            if kind.isHidden, let first = log.errors.first {
                throw FaultedLogError(description: "heard of in \(first.step): \(first.error)")
            }
            // What failed once succeeded when it was done again, unless a sync had failed.
            let isSync = plan.struck.contains { [.sync, .syncData, .syncMap].contains($0.kind) }
            if log.errors.count > 1, !isSync {
                throw FaultedLogError(description: "again in \(log.errors[1].step)")
            }
        }
        #expect(count > 300 || kind.isHidden)
    }

    @Test(arguments: [Kind.inputOutputError, .noSpace])
    func forever(_ kind: Kind) throws {
        _ = try Self.forEach(kind.fault, .forever) { plan, log in
            guard log.errors.isEmpty, !plan.struck.isEmpty else { return }
            // Indexes and write-back in advance are help that nobody waits for.
            let isHelp = plan.struck.allSatisfy {
                $0.path.hasSuffix(".index") || [.unlock, .populate].contains($0.kind)
            }
            if !isHelp { throw FaultedLogError(description: "nobody was told") }
        }
    }

    /// A sync of data that fails is told, and nothing durable is acknowledged until a restart.
    @Test func failedSyncsPoison() throws {
        _ = try Self.forEach(.error(EIO), .once, kinds: [.syncData], stride: 1) { plan, log in
            let isSegment = plan.struck.contains { $0.path.hasSuffix(".log") }
            if isSegment, !log.errors.contains(where: { $0.error.code == .poisoned }) {
                // Recovery says so by failing as a whole.
                guard log.errors.contains(where: { $0.step.contains("recover") }) else {
                    throw FaultedLogError(description: "nothing was poisoned")
                }
            }
        }
    }

    /// The disk is full from the Nth call on, and has space again afterwards.
    @Test func fullDisk() throws {
        _ = try Self.forEach(
            .error(ENOSPC), .forever, kinds: [.write, .allocate, .makeDirectory], stride: 1
        ) { _, log in
            for (step, error) in log.errors where error.cause?.isOutOfSpace != true {
                throw FaultedLogError(description: "\(step): \(error)")
            }
        }
    }

    /// A segment that could not be begun is left behind, and the one before it goes on.
    @Test func aSegmentThatWasNeverBegun() throws {
        let fixture = try TopicFixture(segmentBytes: 1 << 16)
        let plan = FaultPlan(at: 2, .error(EIO), kinds: [.write]) { call in
            guard case .write(let file, 0, _) = call else { return false }
            return file.path.hasSuffix(".log")
        }
        try plan.run(on: fixture.directory.path) {
            var writer = try fixture.topic.writer(partition: 0)
            for size in [40_000, 50_000, 10_000] {
                var builder = BatchBuilder()
                builder.append(value: [UInt8](repeating: 7, count: size))
                let code = logErrorCode { () throws(LogError) in try writer.append(&builder) }
                #expect(code == (size == 50_000 ? .system : nil))
            }
        }
        #expect(plan.struck.count == 1)
        #expect(try fixture.images().map(\.values.first?.count) == [40_000, 10_000])
        let data = try DataDirectory(fixture.directory.path, create: false)
        let found = try data.verifyTopic("rows")
        #expect(found.faults == [])
        #expect(found.notes.contains { $0.text.contains("never begun") })
        #expect(found.counts.rows == 2)
    }

    /// Runs the workload with a fault at each N; returns how many calls there are.
    private static func forEach(
        _ fault: FaultPlan.Fault, _ duration: FaultPlan.Duration,
        kinds: Set<DiskCall.Kind> = Set(DiskCall.Kind.allCases), stride: Int? = nil,
        _ check: (FaultPlan, FaultedLog) throws -> Void
    ) throws -> Int {
        let stage = try MemoryDirectory()
        let step = stride ?? passedOver + 1
        var number = Environment.number(
            "MILLRACE_FAULTS_FIRST", or: Int.random(in: 1...step))
        var faults = 0
        while faults < 5 {
            let plan = FaultPlan(at: number, fault, duration, kinds: kinds)
            let path = stage.path + "/\(number)"
            try Files.createDirectory(path)
            let boot = PretendedBoot()
            let attempts = if case .once = duration { 2 } else { 1 }
            let log = FaultedLog(at: path, boot: boot, attempts: attempts)
            do {
                try boot.run(on: path) {
                    try plan.run(on: path) { try log.run() }
                    try check(plan, log)
                    try log.verify()
                }
            } catch {
                faults += 1
                let struck = plan.struck.prefix(3).map { "\($0.kind) \($0.path)" }
                let files = log.partitionFiles
                Issue.record(
                    "call \(number), \(fault) \(duration), \(struck): \(error); \(files)")
            }
            try Files.removeTree(path)
            if plan.calls < number { return plan.calls }
            number += step
        }
        return 0
    }
}
