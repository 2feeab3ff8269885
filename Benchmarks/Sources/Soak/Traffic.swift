internal import Synchronization

/// What has been appended and not predicted yet, and how long the rest took.
final class Traffic: Sendable {
    private struct State {
        /// For each partition the time at which each batch was appended, by the offset behind it.
        var waiting: [[UInt64: Int64]]
        var appended: [UInt64]
        var predicted: [UInt64]
        var latencies: [Int64] = []
        var version = 0
        var versions = 0
    }

    private let state: Mutex<State>
    private let closed = Atomic<Bool>(false)

    init(partitions: Int) {
        let none = [UInt64](repeating: 0, count: partitions)
        state = Mutex(
            State(
                waiting: Array(repeating: [:], count: partitions), appended: none,
                predicted: none))
    }

    var isClosed: Bool { closed.load(ordering: .acquiring) }
    func close() { closed.store(true, ordering: .releasing) }

    /// A batch whose last offset is before `end` is about to be appended.
    func begin(_ partition: Int, through end: UInt64, _ time: Int64) {
        state.withLock {
            $0.waiting[partition][end] = time
            $0.appended[partition] = end
        }
    }

    /// Rows before `end` have been predicted by a version of the model.
    func end(_ partition: Int, through end: UInt64, _ time: Int64, _ version: Int) {
        state.withLock { state in
            if let begun = state.waiting[partition].removeValue(forKey: end) {
                state.latencies.append(time - begun)
            }
            state.predicted[partition] = end
            if version > state.version {
                state.version = version
                state.versions += 1
            }
        }
    }

    /// Rows that have been appended.
    var rows: UInt64 { state.withLock { $0.appended.reduce(0, +) } }
    /// Rows that have been appended and not been predicted.
    var lag: Int {
        state.withLock { Int($0.appended.reduce(0, +)) - Int($0.predicted.reduce(0, +)) }
    }
    /// Versions of the model that have made predictions.
    var versions: Int { state.withLock { $0.versions } }

    /// How long batches took since the last time, nanoseconds in ascending order.
    func takeLatencies() -> [Int64] {
        let found = state.withLock { state in
            let latencies = state.latencies
            state.latencies.removeAll(keepingCapacity: true)
            return latencies
        }
        return found.sorted()
    }
}
