public import CMillraceLinux

/// Who observes which files of this process.
///
/// While nobody does, the file layer pays one relaxed load a call for it.
public enum DiskObservation {
    /// Files under one path, whose calls and stores take place one after the other.
    final class Scope: Sendable {
        let root: String
        /// Held while a call or store takes place and is told.
        let order = Lock(())

        init(root: String) { self.root = root }

        func covers(_ path: String) -> Bool { DiskObservation.isPath(path, under: root) }
    }

    private struct Installation {
        let prefix: String
        let observer: any DiskObserver
        let scope: Scope
    }

    /// A mapping of an observed file.
    private struct Range {
        let start: UInt
        let count: Int
        let file: DiskCall.File
        let scope: Scope
    }

    private struct State {
        var installations: [Installation] = []
        var ranges: [Range] = []
    }

    private static let state = Lock(State())

    /// Whether anybody observes any file.
    @inlinable @inline(__always)
    public static var isActive: Bool { ml_is_observed() != 0 }

    /// Shows calls and stores under `prefix`, a file or directory, until the observer is removed.
    ///
    /// Several observers may share a path: all are asked, and the worst answer holds, a failure
    /// above a shortening above a pretence. An observer of a directory is installed before those
    /// of places in it.
    package static func install(_ observer: any DiskObserver, on prefix: String) {
        state.withLock { state in
            let known = state.installations.first { $0.scope.covers(prefix) }
            precondition(
                known != nil || !state.installations.contains { isPath($0.prefix, under: prefix) },
                "a place inside is observed already")
            let scope = known?.scope ?? Scope(root: prefix)
            state.installations.append(
                Installation(prefix: prefix, observer: observer, scope: scope))
            ml_count_observers(1)
        }
    }

    /// Ends what `install` began, for every path of this observer.
    package static func remove(_ observer: any DiskObserver) {
        state.withLock { state in
            let before = state.installations.count
            state.installations.removeAll { $0.observer === observer }
            let left = state.installations
            state.ranges.removeAll { range in !left.contains { $0.scope === range.scope } }
            ml_count_observers(Int32(left.count - before))
        }
    }

    static func isPath(_ path: String, under prefix: String) -> Bool {
        path.utf8.count == prefix.utf8.count
            ? path == prefix
            : path.utf8.starts(with: prefix.utf8)
                && (prefix.hasSuffix("/") || path.utf8.dropFirst(prefix.utf8.count).first == 0x2F)
    }

    private static func observers(of path: String) -> (scope: Scope, all: [any DiskObserver])? {
        state.withLock { state in
            let found = state.installations.filter { isPath(path, under: $0.prefix) }
            guard let scope = found.first?.scope else { return nil }
            return (scope, found.map(\.observer))
        }
    }

    /// One attempt at a call, as the observers of `path` want it.
    ///
    /// `body` gets the number of bytes to move at most; it returns the result or the error number
    /// negated.
    static func attempt(
        _ path: String, _ describe: () -> DiskCall, _ body: (Int) -> Int
    ) -> Int {
        guard let (scope, all) = observers(of: path) else { return body(.max) }
        let call = describe()
        var answer = DiskAnswer.proceed
        for observer in all { answer = answer.orWorse(observer.willPerform(call)) }
        return scope.order.withLock { _ in
            let result =
                switch answer {
                case .proceed: body(.max)
                case .fail(let errno): -Int(errno)
                case .partial(let count): body(count)
                case .pretend: call.pretendedResult
                }
            for observer in all { observer.didPerform(call, result: result) }
            return result
        }
    }

    /// The boot id that an observer of `path` gives.
    static func bootID(for path: String) -> UInt64? {
        for observer in observers(of: path)?.all ?? [] {
            if let boot = observer.bootID(for: path) { return boot }
        }
        return nil
    }
}

// MARK: - Mapped stores

extension DiskObservation {
    /// Remembers that `file` is mapped, when it is observed.
    static func mapped(
        _ address: UnsafeRawPointer, count: Int, _ file: @autoclosure () -> DiskCall.File
    ) {
        let file = file()
        guard let scope = observers(of: file.path)?.scope else { return }
        let start = UInt(bitPattern: address)
        state.withLock {
            $0.ranges.append(Range(start: start, count: count, file: file, scope: scope))
        }
    }

    /// Forgets a mapping.
    static func unmapped(_ address: UnsafeRawPointer) {
        let start = UInt(bitPattern: address)
        state.withLock { $0.ranges.removeAll { $0.start == start } }
    }

    private static func range(of address: UInt) -> Range? {
        state.withLock { state in
            state.ranges.first { address >= $0.start && address - $0.start < UInt($0.count) }
        }
    }

    /// The observed file that is mapped at `address`.
    static func file(mappedAt address: UnsafeRawPointer) -> DiskCall.File? {
        range(of: UInt(bitPattern: address))?.file
    }

    /// Performs a store of `count` bytes into a mapping and tells of it.
    ///
    /// `body` says whether it stored: a compare-exchange may not have.
    @inline(never)
    public static func store(
        _ address: UnsafeRawPointer, count: Int, _ body: () -> Bool
    ) -> Bool {
        let start = UInt(bitPattern: address)
        guard let range = range(of: start), let (_, all) = observers(of: range.file.path) else {
            return body()
        }
        let offset = Int(start - range.start)
        for observer in all {
            observer.willStore(path: range.file.path, offset: offset, count: count)
        }
        return range.scope.order.withLock { _ in
            guard body() else { return false }
            // SAFETY: `body` just wrote these bytes, and every other store into observed files of
            // this process waits for the lock.
            let bytes = unsafe [UInt8](UnsafeRawBufferPointer(start: address, count: count))
            for observer in all { observer.didStore(range.file, offset: offset, bytes: bytes) }
            return true
        }
    }
}
