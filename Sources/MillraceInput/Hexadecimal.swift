/// Bytes as people write them in messages.
enum Hexadecimal {
    /// The bytes as two digits each, separated by spaces.
    static func text(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "0" + digits : digits
        }.joined(separator: " ")
    }
}
