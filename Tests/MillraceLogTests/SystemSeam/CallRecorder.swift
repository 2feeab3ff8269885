import MillraceSystem

/// Writes down what the file layer does.
final class CallRecorder: DiskObserver {
    struct Store: Equatable {
        let name: String
        let offset: Int
        let bytes: [UInt8]
    }

    private let state = Lock((calls: [(DiskCall, Int)](), stores: [Store](), attempts: 0))

    /// Kinds of the calls, with their results.
    var calls: [(kind: DiskCall.Kind, result: Int)] {
        state.withLock { $0.calls.map { ($0.0.kind, $0.1) } }
    }

    var kinds: [DiskCall.Kind] { calls.map(\.kind) }

    var paths: Set<String> { state.withLock { Set($0.calls.map(\.0.path)) } }

    /// Paths that were opened, in order.
    var opened: [String] {
        state.withLock { $0.calls.filter { $0.0.kind == .open }.map(\.0.path) }
    }

    var stores: [Store] { state.withLock { $0.stores } }

    /// Stores and attempted compare-exchanges.
    var attempts: Int { state.withLock { $0.attempts } }

    func didPerform(_ call: DiskCall, result: Int) {
        state.withLock { $0.calls.append((call, result)) }
    }

    func willStore(path: String, offset: Int, count: Int) { state.withLock { $0.attempts += 1 } }

    func didStore(_ file: DiskCall.File, offset: Int, bytes: [UInt8]) {
        let name = String(file.path.split(separator: "/").last ?? "")
        state.withLock { $0.stores.append(Store(name: name, offset: offset, bytes: bytes)) }
    }

    /// Runs `body` with this observer in force for files under `prefix`.
    @discardableResult
    func run<Result>(on prefix: String, _ body: () throws -> Result) rethrows -> Result {
        DiskObservation.install(self, on: prefix)
        defer { DiskObservation.remove(self) }
        return try body()
    }
}
