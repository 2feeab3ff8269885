import MillraceRepository
import Testing

@Suite struct SafetensorsTests {
    private func file(_ header: String, data: Int) -> [UInt8] {
        let text = Array(header.utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: text.count >> (8 * $0)) }
        return length + text + [UInt8](repeating: 0, count: data)
    }

    @Test func whatIsWrittenIsRead() throws {
        let content = Safetensors(
            tensors: [
                Tensor(name: "a", shape: [2, 3], values: [1, 2, 3, 4, .infinity, -0.0]),
                Tensor(name: "quote \" and \\ and \u{1F600} and \n", shape: [], values: [7]),
                Tensor(name: "empty", shape: [0, 4], values: []),
            ], metadata: ["k": "v\u{1}", "two": "é"])
        let bytes = content.encoded()
        #expect(try Safetensors(bytes, path: "x") == content)
        #expect((8 + Int(bytes[0]) + Int(bytes[1]) << 8) % 64 == 0)
    }

    static let good = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#

    @Test func aFileOfAnotherWriterIsRead() throws {
        let header =
            #"{"__metadata__" : {"f":"\u00e9\ud83d\ude00"}, "b":{"data_offsets":[8,12],"#
            + #""shape":[1,1],"dtype":"F32"},"#
            + #""a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
        let content = try Safetensors(file(header + "  \n", data: 12), path: "x")
        #expect(content.tensors.map(\.name) == ["a", "b"])
        #expect(content.metadata == ["f": "é😀"])
    }

    @Test(arguments: [
        (#" {}"#, 0), ("", 0), ("{", 0), ("[]", 0), ("{}{}", 0), ("{}", 4),
        (good, 4), (good, 12), (#"{"a":{}}"#, 0), (#"{"a":1}"#, 0),
        (#"{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}"#, 4),
        (#"{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[02],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12),
        (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}"#, 8),
        (#"{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8),
        (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}"#, 0),
        (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,0]}}"#, 0),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
                + #""a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}"#, 16
        ),
        (
            #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
                + #""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, 12
        ),
        (#"{"__metadata__":{"a":1}}"#, 0), (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0),
        (#"{"\ud83d":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8),
        (#"{"\u00":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 8),
    ])
    func brokenFilesAreRefused(header: String, data: Int) {
        let error = #expect(throws: RepositoryError.self) {
            try Safetensors(file(header, data: data), path: "x")
        }
        #expect(error?.code == .malformedFile)
    }

    @Test func lengthsBeyondTheFileAreRefused() {
        for length in [[1, 0, 0, 0, 0, 0, 0, 0], [UInt8](repeating: 255, count: 8)] {
            #expect(throws: RepositoryError.self) { try Safetensors(length, path: "x") }
        }
        #expect(throws: RepositoryError.self) { try Safetensors([1, 2], path: "x") }
    }

    /// More than the format's own reader takes, in a file that is as long as it says.
    @Test func aHugeHeaderIsRefused() {
        let length = 100_000_001
        var bytes = [UInt8](repeating: UInt8(ascii: " "), count: 8 + length)
        for index in 0..<8 { bytes[index] = UInt8(truncatingIfNeeded: length >> (8 * index)) }
        let error = #expect(throws: RepositoryError.self) { try Safetensors(bytes, path: "x") }
        #expect(error?.code == .malformedFile && error?.bytePosition == 0)
    }

    @Test func damageIsRefusedOrReadButNeverTraps() throws {
        let bytes = Safetensors(
            tensors: [Tensor(name: "a", shape: [3], values: [1, 2, 3])], metadata: ["k": "v"]
        ).encoded()
        for count in bytes.indices {
            #expect(throws: RepositoryError.self) {
                try Safetensors(Array(bytes[..<count]), path: "x")
            }
        }
        for i in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[i] ^= UInt8(1 << bit)
                do { _ = try Safetensors(damaged, path: "x") } catch {}
            }
        }
    }
}
