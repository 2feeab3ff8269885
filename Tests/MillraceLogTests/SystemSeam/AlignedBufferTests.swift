import MillraceSystem
import Testing

@Suite("Aligned buffers")
struct AlignedBufferTests {
    /// Sizes in bytes of this process's mappings that are to have huge pages.
    private func hugeMappings() throws -> [Int] {
        let file = try FileHandle("/proc/self/smaps", .read)
        var bytes = [UInt8](repeating: 0, count: 8 << 20)
        let count = try file.read(into: &bytes, at: 0)
        var sizes: [Int] = []
        var size = 0
        for line in String(decoding: bytes[..<count], as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "Size:" { size = (Int(words[1]) ?? 0) << 10 }
            if words.first == "VmFlags:", words.contains("hg") { sizes.append(size) }
        }
        return sizes
    }

    @Test("Large buffers ask for huge pages, where the kernel has them")
    func hugePages() throws {
        guard Files.exists("/sys/kernel/mm/transparent_hugepage/enabled") else { return }
        let bytes = 38 << 20
        var buffer = AlignedBuffer(byteCount: bytes - 5)
        #expect(buffer.byteCount == bytes)
        #expect(try hugeMappings().contains { $0 >= bytes })
        buffer.reserve(bytes + 1, keeping: 64)
        #expect(buffer.byteCount >= bytes + 1 && buffer.byteCount % (2 << 20) == 0)
    }

    @Test("Small ones take what they need, and what is kept stays when they grow")
    func growth() {
        var buffer = AlignedBuffer(byteCount: 100)
        #expect(buffer.byteCount == 100)
        var floats = buffer.floats(at: 0, count: 16)
        for index in 0..<16 { floats[index] = Float(index) }
        for bytes in [5_000, 3 << 20, 30 << 20] {
            buffer.reserve(bytes, keeping: 64)
            #expect(buffer.byteCount >= bytes)
            let kept = buffer.floats(at: 0, count: 16)
            var isKept = true
            for index in 0..<16 where kept[index] != Float(index) { isKept = false }
            #expect(isKept)
            let last = buffer.floats(at: bytes - 4, count: 1)
            let value = last[0]
            #expect(value == 0)
        }
    }
}
