import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// What the file layer makes of failures, interruptions and short transfers.
@Suite struct FileLayerTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory("millrace-seam") }

    /// Does every call of the layer at least once, and returns what it read.
    private func everything(in root: String) throws -> [UInt8] {
        try Files.createDirectory(root + "/a/b")
        let path = root + "/a/b/file"
        let file = try FileHandle(path, .createNew)
        try file.write([UInt8](0..<50), at: 0)
        let pieces = [UInt8](50..<200)
        let whole = unsafe pieces.span.bytes  // SAFETY: an array of bytes is initialised.
        try file.write(
            whole.extracting(0..<20), whole.extracting(20..<149), whole.extracting(149...), at: 50)
        #expect(try file.allocate(from: 4096, bytes: 4096))
        try file.startWriteback(from: 0, bytes: 200)
        try file.syncData()
        try file.sync()
        #expect(try file.size() == 8192)
        #expect(try file.tryLock(byte: 7))
        #expect(try !file.isLocked(byte: 7))
        try file.unlock(byte: 7)
        #expect(try file.tryShare(byte: 7))
        let map = try file.map(bytes: 8192, writable: true)
        _ = try map.populate(from: 4096, bytes: 10)
        map.word(at: 192).storeReleasing(0x0102_0304)
        try map.sync(bytes: 8192)
        try file.truncate(to: 196)
        var bytes = [UInt8](repeating: 0, count: 300)
        bytes.removeSubrange(try file.read(into: &bytes, at: 0)...)
        try Files.renameDurably(path, root + "/a/other")
        #expect(try Files.list(root + "/a") == ["b", "other"])
        #expect(try Files.kind(of: root + "/a/other") == .regular)
        #expect(!Files.exists(path))
        try Files.removeTree(root + "/a")
        return bytes
    }

    private var expected: [UInt8] {
        [UInt8](0..<192) + [0x04, 0x03, 0x02, 0x01]
    }

    @Test func everyKindOfCallIsSeen() throws {
        let recorder = CallRecorder()
        #expect(
            try recorder.run(on: directory.path) { try everything(in: directory.path) } == expected)
        #expect(Set(recorder.kinds) == Set(DiskCall.Kind.allCases))
    }

    @Test func everyInterruptedCallIsRepeated() throws {
        let count = try FaultPlan.forEachCall(.error(EINTR)) { plan in
            let found = try plan.run(on: directory.path) { try everything(in: directory.path) }
            #expect(found == expected)
        }
        #expect(count > DiskCall.Kind.allCases.count)
    }

    @Test(arguments: [1, 100, 1 << 20])
    func shortTransfersAreCompleted(by bytes: Int) throws {
        let count = try FaultPlan.forEachCall(.short(by: bytes), .forever) { plan in
            let found = try plan.run(on: directory.path) { try everything(in: directory.path) }
            #expect(found == expected)
            if bytes >= 300, plan.number == 1 {
                // Byte by byte: 200 are written, 196 read back, and one more read finds the end.
                #expect(plan.struck.count == 397)
            }
        }
        #expect(count >= 3)
    }

    @Test(arguments: [EIO, ENOSPC])
    func everyFailureSurfacesOrIsHarmless(_ code: Int32) throws {
        var harmless: Set<DiskCall.Kind> = []
        _ = try FaultPlan.forEachCall(.error(code)) { plan in
            let fresh = try TemporaryDirectory("millrace-seam")
            do {
                let found = try plan.run(on: fresh.path) { try everything(in: fresh.path) }
                #expect(found == expected)
                for call in plan.struck { harmless.insert(call.kind) }
            } catch let error as SystemError {
                #expect(error.errno == code)
                #expect(error.path == plan.struck.first?.path)
            }
        }
        // `exists` and its like answer "no" when they cannot tell.
        #expect(harmless.subtracting([.status]).isEmpty)
    }

    @Test func aDurableWriteIsOldOrNewAndLeavesNothingBehind() throws {
        for duration in [FaultPlan.Duration.once, .forever] {
            for code in [EIO, ENOSPC] {
                let count = try FaultPlan.forEachCall(.error(code), duration) { plan in
                    let fresh = try TemporaryDirectory("millrace-seam")
                    let path = fresh.file("value")
                    try Files.writeDurably(path, Array("old".utf8))
                    let failed: Bool
                    do {
                        try plan.run(on: fresh.path) {
                            try Files.writeDurably(path, Array("newer".utf8))
                        }
                        failed = false
                    } catch { failed = true }
                    #expect(failed == !plan.struck.isEmpty)
                    let found = String(decoding: try Files.read(path, maxBytes: 10), as: UTF8.self)
                    #expect(failed ? ["old", "newer"].contains(found) : found == "newer")
                    if duration == .once { #expect(try Files.list(fresh.path) == ["value"]) }
                }
                #expect(count >= 6)
            }
        }
    }

    @Test func aWriteThatIsNotAcceptedIsAFullDisk() throws {
        let file = try FileHandle(directory.file("full"), .createNew)
        let refusing = NothingAccepted()
        DiskObservation.install(refusing, on: directory.path)
        defer { DiskObservation.remove(refusing) }
        let error = #expect(throws: SystemError.self) { try file.write([1, 2, 3], at: 0) }
        #expect(error?.isOutOfSpace == true)
    }

    private final class NothingAccepted: DiskObserver {
        func willPerform(_ call: DiskCall) -> DiskAnswer { .partial(0) }
    }
}
