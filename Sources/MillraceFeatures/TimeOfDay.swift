/// Reads times of day that are written without a colon.
enum TimeOfDay {
    /// The minutes since midnight of text such as `5`, `515` or `2359`.
    ///
    /// `2400` is 1440, the end of the day. Nil where the text is not one to four digits or not a time.
    static func minutes(_ text: Span<UInt8>) -> Int? {
        guard text.count >= 1, text.count <= 4 else { return nil }
        var value = 0
        for index in text.indices {
            let digit = text[index] &- 0x30
            if digit > 9 { return nil }
            value = value * 10 + Int(digit)
        }
        let (hours, minutes) = value.quotientAndRemainder(dividingBy: 100)
        guard minutes < 60, hours < 24 || value == 2400 else { return nil }
        return hours * 60 + minutes
    }
}
