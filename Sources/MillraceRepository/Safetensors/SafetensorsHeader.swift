/// The JSON header of a safetensors file, read strictly: of JSON, only what such a header can have.
struct SafetensorsHeader {
    struct Entry {
        var name: String
        var shape: [Int]
        var range: Range<Int>
        var position: Int
    }

    private(set) var entries: [Entry] = []
    private(set) var metadata: [String: String] = [:]
    private let bytes: [UInt8]
    private let end: Int
    private let path: String
    private var position: Int

    init(_ bytes: [UInt8], in range: Range<Int>, path: String) {
        self.bytes = bytes
        self.path = path
        position = range.lowerBound
        end = range.upperBound
    }

    mutating func parse() throws(RepositoryError) {
        guard position < end, bytes[position] == UInt8(ascii: "{") else {
            throw malformed("a header begins with '{'")
        }
        var names: Set<String> = []
        try object { (parser, name) throws(RepositoryError) in
            guard names.insert(name).inserted else {
                throw parser.malformed("the name '\(name)' occurs twice")
            }
            if name == "__metadata__" {
                try parser.parseMetadata()
            } else {
                try parser.parseEntry(name)
            }
        }
        skipSpace()
        guard position == end else { throw malformed("something follows the header's end") }
    }

    private mutating func parseMetadata() throws(RepositoryError) {
        try object { (parser, key) throws(RepositoryError) in
            let value = try parser.string()
            guard parser.metadata.updateValue(value, forKey: key) == nil else {
                throw parser.malformed("the key '\(key)' occurs twice")
            }
        }
    }

    private mutating func parseEntry(_ name: String) throws(RepositoryError) {
        let start = position
        var type: String?
        var shape: [Int]?
        var offsets: [Int]?
        try object { (parser, key) throws(RepositoryError) in
            switch key {
            case "dtype" where type == nil: type = try parser.string()
            case "shape" where shape == nil: shape = try parser.integers()
            case "data_offsets" where offsets == nil: offsets = try parser.integers()
            default: throw parser.malformed("the key '\(key)' is unknown or occurs twice")
            }
        }
        guard let type, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
            throw malformed("the tensor '\(name)' needs dtype, shape and two ordered data_offsets")
        }
        guard type == "F32" else {
            throw malformed("the tensor '\(name)' is of type \(type); only F32 can be read")
        }
        var size = 4
        for dimension in shape {
            let (product, overflow) = size.multipliedReportingOverflow(by: dimension)
            guard !overflow else { throw malformed("the shape of '\(name)' overflows") }
            size = product
        }
        guard size == offsets[1] - offsets[0] else {
            throw malformed(
                "the tensor '\(name)' of shape \(shape) takes \(size) bytes, not "
                    + "\(offsets[1] - offsets[0])")
        }
        entries.append(
            Entry(name: name, shape: shape, range: offsets[0]..<offsets[1], position: start))
    }

    private func malformed(_ detail: String) -> RepositoryError {
        RepositoryError(.malformedFile, path: path, detail, bytePosition: position)
    }

    private mutating func skipSpace() {
        while position < end, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
    }

    private mutating func accept(_ byte: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < end, bytes[position] == UInt8(ascii: byte) else { return false }
        position += 1
        return true
    }

    private mutating func expect(_ byte: Unicode.Scalar) throws(RepositoryError) {
        guard accept(byte) else { throw malformed("'\(byte)' is expected") }
    }

    private mutating func object(
        _ member: (inout SafetensorsHeader, String) throws(RepositoryError) -> Void
    ) throws(RepositoryError) {
        try expect("{")
        if accept("}") { return }
        repeat {
            let name = try string()
            try expect(":")
            try member(&self, name)
        } while accept(",")
        try expect("}")
    }

    private mutating func integers() throws(RepositoryError) -> [Int] {
        try expect("[")
        if accept("]") { return [] }
        var values: [Int] = []
        repeat { values.append(try integer()) } while accept(",")
        try expect("]")
        return values
    }

    private mutating func integer() throws(RepositoryError) -> Int {
        skipSpace()
        let digits = bytes[position..<end].prefix { (0x30...0x39).contains($0) }
        guard let value = Int(String(decoding: digits, as: UTF8.self)),
            digits.count == 1 || digits.first != 0x30
        else { throw malformed("a whole number that fits 64 bits is expected") }
        position += digits.count
        return value
    }

    private mutating func string() throws(RepositoryError) -> String {
        try expect("\"")
        var content: [UInt8] = []
        while position < end {
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""):
                guard let text = String(validating: content, as: UTF8.self) else {
                    throw malformed("text that is not UTF-8")
                }
                return text
            case UInt8(ascii: "\\"): content += try escaped()
            case 0..<0x20: throw malformed("a control character in text")
            default: content.append(byte)
            }
        }
        throw malformed("text without an end")
    }

    private mutating func escaped() throws(RepositoryError) -> [UInt8] {
        guard position < end else { throw malformed("text without an end") }
        let byte = bytes[position]
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [byte]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var units = [try codeUnit()]
            if (0xD800..<0xDC00).contains(units[0]), position + 1 < end,
                bytes[position] == UInt8(ascii: "\\"), bytes[position + 1] == UInt8(ascii: "u")
            {
                position += 2
                units.append(try codeUnit())
            }
            guard let text = String(validating: units, as: UTF16.self) else {
                throw malformed("an escape that is no character")
            }
            return Array(text.utf8)
        default: throw malformed("an unknown escape")
        }
    }

    private mutating func codeUnit() throws(RepositoryError) -> UInt16 {
        let digits = bytes[position..<min(position + 4, end)]
        guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let value = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
        else { throw malformed("four hexadecimal digits are expected") }
        position += 4
        return value
    }
}
