internal import MillraceCompute
internal import MillraceInput

/// A named array of float32 in a file of tensors.
package struct Tensor: Sendable, Equatable {
    package var name: String
    package var shape: [Int]
    /// Row-major.
    package var values: [Float]

    package init(name: String, shape: [Int], values: [Float]) {
        precondition(
            shape.reduce(1, *) == values.count, "a tensor has as many values as its shape says")
        self.name = name
        self.shape = shape
        self.values = values
    }
}

/// The content of a safetensors file: float32 tensors, and text about them.
///
/// Layout: the header's length (8 bytes, little-endian), the header (JSON, filled up with spaces so
/// that the data begin at a multiple of 64 bytes), the tensors' bytes without gaps.
/// - Source: the safetensors format, github.com/huggingface/safetensors.
package struct Safetensors: Sendable, Equatable {
    package var tensors: [Tensor]
    package var metadata: [String: String]

    package init(tensors: [Tensor], metadata: [String: String] = [:]) {
        self.tensors = tensors
        self.metadata = metadata
    }

    package subscript(name: String) -> Tensor? { tensors.first { $0.name == name } }

    /// The file's bytes; equal content gives equal bytes.
    package func encoded() -> [UInt8] {
        var entries: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key < $1.key }
                .map { "\(JSONString.quoted($0.key)):\(JSONString.quoted($0.value))" }
            entries.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
        }
        var end = 0
        for tensor in tensors {
            let start = end
            end += tensor.values.count * 4
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            entries.append(
                "\(JSONString.quoted(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(start),\(end)]}")
        }
        var header = Array("{\(entries.joined(separator: ","))}".utf8)
        while (8 + header.count) % 64 != 0 { header.append(UInt8(ascii: " ")) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + header.count + end)
        NumberBytes.append([UInt64(header.count)], to: &bytes)
        bytes += header
        for tensor in tensors {
            NumberBytes.append(tensor.values, to: &bytes)
        }
        return bytes
    }
}
