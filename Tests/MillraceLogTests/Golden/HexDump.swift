import MillraceSystem

/// Several files as text that can be reviewed and compared line by line.
///
/// Each file begins with `# name size`; then come its bytes, 32 a line, behind the place of the
/// first in hexadecimal. Lines of zeros are left out.
struct HexDump: Equatable {
    private(set) var files: [(name: String, bytes: [UInt8])] = []

    init() {}

    mutating func add(_ name: String, _ bytes: [UInt8]) { files.append((name, bytes)) }

    subscript(_ name: String) -> [UInt8]? { files.first { $0.name == name }?.bytes }

    static func == (first: HexDump, second: HexDump) -> Bool { first.text == second.text }

    var text: String {
        var text = ""
        for (name, bytes) in files {
            text += "# \(name) \(bytes.count)\n"
            for start in stride(from: 0, to: bytes.count, by: 32) {
                let line = bytes[start..<min(start + 32, bytes.count)]
                if line.allSatisfy({ $0 == 0 }) { continue }
                text += Self.hex(UInt32(start), 8) + " "
                text += line.map { Self.hex(UInt32($0), 2) }.joined() + "\n"
            }
        }
        return text
    }

    private static func hex(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// Nil for text of another form.
    init?(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.first == "#" {
                guard words.count == 3, let size = Int(words[2]) else { return nil }
                files.append((String(words[1]), [UInt8](repeating: 0, count: size)))
                continue
            }
            guard words.count == 2, let start = Int(words[0], radix: 16), !files.isEmpty else {
                return nil
            }
            let digits = Array(words[1])
            for index in stride(from: 0, to: digits.count, by: 2) {
                let place = start + index / 2
                guard index + 1 < digits.count,
                    let byte = UInt8(String(digits[index...index + 1]), radix: 16),
                    place < files[files.count - 1].bytes.count
                else { return nil }
                files[files.count - 1].bytes[place] = byte
            }
        }
    }

    /// The first file and byte in which the two differ; nil when they are the same.
    func difference(from other: HexDump) -> String? {
        guard files.map(\.name) == other.files.map(\.name) else { return "other files" }
        for (mine, its) in zip(files, other.files) where mine.bytes != its.bytes {
            let byte = zip(mine.bytes, its.bytes).enumerated().first { $1.0 != $1.1 }?.offset
            return "\(mine.name), byte \(byte ?? min(mine.bytes.count, its.bytes.count))"
        }
        return nil
    }
}
