import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// Who sees what of the file layer.
@Suite struct ObservationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-seam") }

    @Test func onlyFilesUnderThePrefixAreSeen() throws {
        for name in ["a", "ab", "b"] { try Files.createDirectory(directory.file(name)) }
        let recorder = CallRecorder()
        try recorder.run(on: directory.file("a")) {
            for name in ["a", "ab", "b"] {
                let file = try FileHandle(directory.file(name) + "/file", .createNew)
                try file.truncate(to: 64)
                let map = try file.map(bytes: 64, writable: true)
                map.word(at: 0).storeReleasing(1)
            }
        }
        #expect(recorder.paths == [directory.file("a") + "/file"])
        #expect(recorder.kinds == [.open, .truncate, .map])
        #expect(recorder.stores.count == 1)
        // Nothing is seen after the end.
        try FileHandle(directory.file("a") + "/file", .readWrite).truncate(to: 0)
        #expect(recorder.kinds.count == 3)
    }

    @Test func storesAreSeenWithTheirPlaceAndBytes() throws {
        let recorder = CallRecorder()
        try recorder.run(on: directory.path) {
            let file = try FileHandle(directory.file("words"), .createNew)
            try file.truncate(to: 4096)
            let map = try file.map(bytes: 4096, writable: true)
            map.word(at: 8).storeReleasing(1)
            map.word(at: 16).storeRelaxed(2)
            let refused = map.word(at: 16).compareExchange(expected: 9, desired: 10)
            #expect(!refused)
            let exchanged = map.word(at: 16).compareExchange(expected: 2, desired: 3)
            #expect(exchanged)
            map.word(at: 16).raise(to: 3)
            map.word(at: 16).raise(to: 4)
            let replaced = map.word(at: 24).exchange(5)
            #expect(replaced == 0)
            let added = map.word(at: 24).add(1)
            #expect(added == 6)
            map.futex(at: 32).advanceAndWake()
            let source: [UInt8] = [7, 8, 9]
            map.write(unsafe source.span.bytes, at: 100)
        }
        func word(_ offset: Int, _ value: UInt8) -> CallRecorder.Store {
            CallRecorder.Store(
                name: "words", offset: offset, bytes: [value] + [UInt8](repeating: 0, count: 7))
        }
        #expect(
            recorder.stores == [
                word(8, 1), word(16, 2), word(16, 3), word(16, 4), word(24, 5), word(24, 6),
                CallRecorder.Store(name: "words", offset: 32, bytes: [1, 0, 0, 0]),
                CallRecorder.Store(name: "words", offset: 100, bytes: [7, 8, 9]),
            ])
        // The compare-exchange that failed was announced, too.
        #expect(recorder.attempts == 9)
    }

    @Test func aMappingIsForgottenWithItsFile() throws {
        let recorder = CallRecorder()
        try recorder.run(on: directory.file("seen")) {
            try Files.createDirectory(directory.file("seen"))
            let seen = try FileHandle(directory.file("seen") + "/file", .createNew)
            try seen.truncate(to: 4096)
            for _ in 0..<100 { _ = try seen.map(bytes: 4096, writable: true) }
            let other = try FileHandle(directory.file("other"), .createNew)
            try other.truncate(to: 4096)
            // The kernel gives the same addresses away again.
            let map = try other.map(bytes: 4096, writable: true)
            map.word(at: 0).storeReleasing(1)
        }
        #expect(recorder.stores.isEmpty)
    }

    @Test func storesOfManyThreadsAreSeenInTheirOrder() throws {
        let recorder = CallRecorder()
        let path = directory.file("counter")
        try recorder.run(on: path) {
            let file = try FileHandle(path, .createNew)
            try file.truncate(to: 4096)
            let threads = try (0..<4).map { index in
                try PinnedThread(name: "store \(index)", core: nil) {
                    do {
                        let file = try FileHandle(path, .readWrite)
                        let map = try file.map(bytes: 4096, writable: true)
                        for _ in 0..<500 { map.word(at: 0).add(1) }
                    } catch { Issue.record(error) }
                }
            }
            for thread in threads { thread.join() }
        }
        let values = recorder.stores.map { $0.bytes.reversed().reduce(0) { $0 << 8 | Int($1) } }
        #expect(values == Array(1...2000))
    }

    @Test func observersOfDifferentPlacesDoNotMeet() throws {
        // One place fails, the other does not, at the same time.
        let places = ["left", "right"].map { directory.file($0) }
        for place in places { try Files.createDirectory(place) }
        let plans = [
            FaultPlan(at: 1, .error(EIO), .forever, kinds: [.write]),
            FaultPlan(at: 1, .error(EINTR), .once, kinds: [.write]),
        ]
        let threads = try (0..<2).map { index in
            let (place, plan) = (places[index], plans[index])
            return try PinnedThread(name: "place \(index)", core: nil) {
                do {
                    try plan.run(on: place) {
                        let file = try FileHandle(place + "/file", .createNew)
                        for number in 0..<200 {
                            var failed = false
                            do { try file.write([1, 2, 3], at: number * 3) } catch { failed = true }
                            #expect(failed == (index == 0))
                        }
                    }
                } catch { Issue.record(error) }
            }
        }
        for thread in threads { thread.join() }
        #expect(plans[0].struck.count == 200)
        #expect(plans[1].calls == 201)
        #expect(try Files.size(places[0] + "/file") == 0)
        #expect(try Files.size(places[1] + "/file") == 600)
    }

    @Test func aThreadCanBeStoppedBeforeItsExchangeAndOthersPass() throws {
        let path = directory.file("word")
        let stop = StopPoint.atStore(skipping: 1) { name, offset in name == path && offset == 8 }
        DiskObservation.install(stop, on: path)
        defer { DiskObservation.remove(stop) }
        let file = try FileHandle(path, .createNew)
        try file.truncate(to: 4096)
        let map = try file.map(bytes: 4096, writable: true)
        map.word(at: 0).storeReleasing(1)
        map.word(at: 8).storeReleasing(1)
        #expect(!stop.isReached)
        let late = try PinnedThread(name: "late", core: nil) {
            do {
                let file = try FileHandle(path, .readWrite)
                let map = try file.map(bytes: 4096, writable: true)
                let exchanged = map.word(at: 8).compareExchange(expected: 1, desired: 2)
                #expect(!exchanged)
            } catch { Issue.record(error) }
        }
        stop.waitUntilReached()
        let exchanged = map.word(at: 8).compareExchange(expected: 1, desired: 3)
        #expect(exchanged)
        stop.release()
        late.join()
        let value = map.word(at: 8).loadAcquiring()
        #expect(value == 3)
    }

    @Test func aThreadCanBeStoppedBeforeACall() throws {
        let path = directory.file("file")
        let stop = StopPoint.atCall { $0.kind == .write }
        DiskObservation.install(stop, on: path)
        defer { DiskObservation.remove(stop) }
        let file = try FileHandle(path, .createNew)
        let late = try PinnedThread(name: "late", core: nil) {
            do { try FileHandle(path, .readWrite).write([1], at: 0) } catch { Issue.record(error) }
        }
        stop.waitUntilReached()
        #expect(try file.size() == 0)
        try file.write([2, 2], at: 0)
        stop.release()
        late.join()
        #expect(try Files.read(path, maxBytes: 2) == [1, 2])
    }

    @Test func theWorstAnswerHoldsWhoeverGivesIt() throws {
        let file = try FileHandle(directory.file("file"), .createNew)
        let plan = FaultPlan(at: 1, .error(EIO), kinds: [.syncData])
        let recorder = CallRecorder()
        let disk = try SimulatedDisk(root: directory.path)
        defer { disk.stop() }
        let reopened = try FileHandle(directory.file("file"), .readWrite)
        try recorder.run(on: directory.path) {
            #expect(throws: SystemError.self) {
                try plan.run(on: directory.path) { try reopened.syncData() }
            }
            try reopened.syncData()
        }
        #expect(recorder.calls.map(\.result) == [-Int(EIO), 0])
        #expect(try file.size() == 0)
    }
}
