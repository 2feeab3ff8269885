internal import Glibc
package import MillraceSystem

/// Breaks one call of the file layer: the Nth of all kinds, or of some, fails or is cut short.
///
/// **Thread-safety**: the calls of all threads are counted together.
package final class FaultPlan: DiskObserver {
    /// What happens to the call.
    package enum Fault: Sendable, Equatable {
        /// It fails with this error number; the kernel is not called.
        case error(Int32)
        /// It moves this many bytes fewer, but at least one.
        case short(by: Int)
    }

    /// How often it happens.
    package enum Duration: Sendable {
        case once
        /// To the Nth call that counts and to all after it.
        case forever
    }

    /// The number of the call to break, from 1.
    package let number: Int
    private let fault: Fault
    private let duration: Duration
    private let kinds: Set<DiskCall.Kind>
    private let counts: @Sendable (DiskCall) -> Bool
    private let seen = Lock((calls: 0, struck: [DiskCall]()))

    /// Plans a fault at the call `number` of those of `kinds` for which `counts` holds.
    ///
    /// Only reads and writes can be short, and only they count then.
    package init(
        at number: Int, _ fault: Fault, _ duration: Duration = .once,
        kinds: Set<DiskCall.Kind> = Set(DiskCall.Kind.allCases),
        where counts: @escaping @Sendable (DiskCall) -> Bool = { _ in true }
    ) {
        precondition(
            fault != .error(EINTR) || duration == .once,
            "a call that is always interrupted never ends")
        self.number = number
        self.fault = fault
        self.duration = duration
        if case .short = fault {
            self.kinds = kinds.intersection([.read, .write])
        } else {
            self.kinds = kinds
        }
        self.counts = counts
    }

    /// Calls that counted so far.
    package var calls: Int { seen.withLock { $0.calls } }

    /// Calls that were broken so far.
    package var struck: [DiskCall] { seen.withLock { $0.struck } }

    /// Runs `body` with this plan in force for files under `prefix`.
    @discardableResult
    package func run<Result>(
        on prefix: String, _ body: () throws -> Result
    ) rethrows -> Result {
        DiskObservation.install(self, on: prefix)
        defer { DiskObservation.remove(self) }
        return try body()
    }

    package func willPerform(_ call: DiskCall) -> DiskAnswer {
        guard kinds.contains(call.kind), counts(call) else { return .proceed }
        return seen.withLock { seen in
            seen.calls += 1
            let strikes = duration == .once ? seen.calls == number : seen.calls >= number
            guard strikes else { return .proceed }
            seen.struck.append(call)
            switch fault {
            case .error(let errno): return .fail(errno)
            case .short(let bytes): return .partial(max(Self.count(of: call) - bytes, 1))
            }
        }
    }

    private static func count(of call: DiskCall) -> Int {
        switch call {
        case .read(_, _, let count): count
        case .write(_, _, let bytes): bytes.count
        default: 0
        }
    }

    /// Runs `body` with a plan for the first call, the second, and so on, until a run ends before
    /// its plan's call was reached.
    ///
    /// `body` sets up a directory of its own, puts the plan in force with `run(on:_:)` around what
    /// is to be tested, and then checks what is left. The result is the number of calls broken.
    package static func forEachCall(
        _ fault: Fault, _ duration: Duration = .once,
        kinds: Set<DiskCall.Kind> = Set(DiskCall.Kind.allCases),
        where counts: @escaping @Sendable (DiskCall) -> Bool = { _ in true },
        _ body: (FaultPlan) throws -> Void
    ) rethrows -> Int {
        var number = 1
        while true {
            let plan = FaultPlan(at: number, fault, duration, kinds: kinds, where: counts)
            try body(plan)
            if plan.calls < number { return number - 1 }
            number += 1
        }
    }
}
