import MillraceLog
import MillraceLogWorker
import MillraceSystem
import MillraceTestSupport
import Testing

/// Where the bytes are that a batch shows: stored ones in the mapping of the segment's file,
/// decoded ones in one and the same memory from batch to batch.
@Suite struct ZeroCopyTests {
    /// Where a batch's rows lie.
    private struct Place: Equatable {
        /// Address of the first byte.
        var address: UInt
        /// The file that the kernel says is mapped there; empty for plain memory.
        var path: String
    }

    /// The file mapped at each address of this process, as the kernel tells it.
    private static func path(at address: UInt) throws -> String {
        let file = try FileHandle("/proc/self/maps", .read)
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = try file.read(into: &bytes, at: 0)
        for line in bytes[..<count].split(separator: UInt8(ascii: "\n")) {
            let fields = String(decoding: line, as: UTF8.self).split(separator: " ")
            let ends = fields[0].split(separator: "-").map { UInt($0, radix: 16) ?? 0 }
            guard ends[0] <= address, address < ends[1] else { continue }
            return fields.count > 5 && fields[5].hasPrefix("/") ? String(fields[5]) : ""
        }
        throw SystemError(operation: "look up an address", path: "/proc/self/maps", errno: 0)
    }

    private static func address(_ batch: borrowing RecordBatch) -> UInt {
        if batch.columns == 0 {
            let value = batch.value(0)
            return unsafe value.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
        }
        let matrix = batch.matrix
        return unsafe matrix.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    }

    private static func places(_ shape: ReadProof.Shape) throws -> [Place] {
        let directory = try TemporaryDirectory("millrace-proof")
        let topic = try ReadProof.makeTopic(shape, in: directory.path)
        var reader = try topic.reader(partition: 0)
        var places: [Place] = []
        while let batch = try reader.next() {
            let address = Self.address(batch)
            places.append(Place(address: address, path: try path(at: address)))
        }
        return places
    }

    @Test(arguments: [ReadProof.Shape.storedFeatures, .storedBytes])
    func storedBatchesLieInTheFile(_ shape: ReadProof.Shape) throws {
        let places = try Self.places(shape)
        #expect(places.count == ReadProof.batchesPerTopic)
        for place in places {
            #expect(place.path.hasSuffix(".log"), "\(place)")
            #expect(place.path.contains("/topics/\(shape.rawValue)/"), "\(place)")
            #expect(place.path.contains("/0/"), "\(place)")
        }
        // One after the other in one mapping.
        #expect(places == places.sorted { $0.address < $1.address })
        if shape == .storedFeatures { #expect(places.allSatisfy { $0.address % 64 == 0 }) }
    }

    @Test(arguments: [ReadProof.Shape.lz4Features, .lz4Bytes])
    func decodedBatchesLieInOneArena(_ shape: ReadProof.Shape) throws {
        let places = try Self.places(shape)
        #expect(places.count == ReadProof.batchesPerTopic)
        #expect(places.allSatisfy { $0.path.isEmpty })
        // The first row of a batch is always at the same place in it.
        let addresses = Set(places.map(\.address))
        #expect(addresses.count == 1, "\(addresses)")
        if shape == .lz4Features { #expect(places.allSatisfy { $0.address % 64 == 0 }) }
    }
}
