import Glibc
import MillraceSystem
import MillraceTestSupport
import Testing

/// The counters count: without this, a proof of zero would prove nothing.
@Suite struct CountsTests {
    private final class Thing {
        var number = 1
    }

    @inline(never)
    private static func keep(_ thing: Thing, in things: inout [Thing]) { things.append(thing) }

    @inline(never)
    private static func makeThing() -> Thing { Thing() }

    @Test func retainsAreCounted() {
        let thing = Thing()
        var things: [Thing] = []
        things.reserveCapacity(8)
        let before = Counts.now()
        for _ in 0..<3 { Self.keep(thing, in: &things) }
        let kept = Counts.now().since(before)
        #expect(kept.retains >= 3)
        #expect(things.count == 3)
        #expect(thing.number == 1)
    }

    @Test func releasesAreCounted() {
        var things: [Thing?] = [Self.makeThing(), Self.makeThing()]
        let before = Counts.now()
        for index in things.indices { things[index] = nil }
        #expect(Counts.now().since(before).releases >= 2)
    }

    @Test func stringsAreCountedToo() {
        let text = String(repeating: "long enough to be on the heap", count: 2)
        var texts: [String] = []
        texts.reserveCapacity(8)
        let before = Counts.now()
        for _ in 0..<3 { texts.append(text) }
        #expect(Counts.now().since(before).retains >= 3)
    }

    @Test(.enabled(if: Counts.seesAllocations)) func allocationsAreCounted() throws {
        var before = Counts.now()
        let thing = Self.makeThing()
        #expect(Counts.now().since(before).allocations == 1, "an object")
        #expect(thing.number == 1)
        before = Counts.now()
        let bytes = [UInt8](repeating: 1, count: 100)
        #expect(Counts.now().since(before).allocations == 1, "an array")
        #expect(bytes.count == 100)
        // The first time, the runtime makes types for its own use.
        for turn in 0..<2 {
            before = Counts.now()
            var buffer = AlignedBuffer(byteCount: 4096)
            let made = Counts.now().since(before)
            before = Counts.now()
            buffer.reserve(100_000)
            let grown = Counts.now().since(before)
            guard turn > 0 else { continue }
            #expect(made.allocations == 1, "aligned memory")
            #expect(grown.allocations == 1, "aligned memory that grows")
            #expect(grown.frees == 1)
        }
        before = Counts.now()
        let cleared = unsafe calloc(1, 8)
        let grown = unsafe realloc(nil, 8)
        unsafe free(cleared)
        unsafe free(grown)
        let own = Counts.now().since(before)
        #expect(own.allocations == 2, "C's own")
        #expect(own.frees == 2)
    }

    @Test(.enabled(if: Counts.seesAllocations)) func locksAreCounted() throws {
        var mutex = unsafe pthread_mutex_t()
        unsafe pthread_mutex_init(&mutex, nil)
        let before = Counts.now()
        unsafe pthread_mutex_lock(&mutex)
        unsafe pthread_mutex_unlock(&mutex)
        #expect(Counts.now().since(before).locks == 1)
        let directory = try TemporaryDirectory("millrace-counts")
        try Files.writeDurably(directory.file("page"), [UInt8](repeating: 0, count: 4096))
        let file = try FileHandle(directory.file("page"), .readWrite)
        let page = try file.map(bytes: 4096, writable: true)
        let waiting = Counts.now()
        page.futex(at: 0).wait(while: 0, nanoseconds: 1_000)
        #expect(Counts.now().since(waiting).locks == 1, "a futex")
    }

    /// Arithmetic over memory that is there costs nothing.
    @Test func plainWorkCountsNothing() {
        var buffer = AlignedBuffer(byteCount: 4096)
        // The first time, the runtime makes types for its own use.
        for turn in 0..<2 {
            let before = Counts.now()
            var floats = buffer.floats(at: 0, count: 1024)
            for index in floats.indices { floats[index] = Float(index) }
            let spent = Counts.now().since(before)
            #expect(turn == 0 || spent == .zero)
        }
    }
}
