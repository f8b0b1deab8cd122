//! Numbers in bytes: LEB128 for counts and keys, byte planes for values.

/// Reads a section; every refusal says what was expected.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let Some((taken, rest)) = self.rest.split_at_checked(count) else {
            return Err(format!("{count} bytes expected, {} left", self.rest.len()));
        };
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err("a number is longer than 64 bits".into())
    }

    pub(crate) fn signed(&mut self) -> Result<i64, String> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// A count of things that each take at least one more byte of the section: a larger one is a lie, and
    /// refusing it here bounds every allocation by the size of the section.
    pub(crate) fn count(&mut self) -> Result<usize, String> {
        let value = self.varint()?;
        match usize::try_from(value) {
            Ok(count) if count <= self.remaining() => Ok(count),
            _ => Err(format!("a count of {value} with {} bytes left", self.remaining())),
        }
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Writes words of `WIDTH` bytes plane by plane, highest bytes first. The two highest bytes (sign, exponent,
/// first bits of the mantissa) are replaced by their difference from the word before, because neighbouring
/// latencies are alike there and noise below.
pub(crate) fn put_planes<const WIDTH: usize>(out: &mut Vec<u8>, words: &[[u8; WIDTH]]) {
    let start = out.len();
    out.resize(start + WIDTH * words.len(), 0);
    let planes = &mut out[start..];
    let mut previous = 0_u16;
    for (at, word) in words.iter().enumerate() {
        let high = u16::from_be_bytes([word[0], word[1]]);
        let step = high.wrapping_sub(previous).cast_signed();
        previous = high;
        let folded = ((step << 1) ^ (step >> 15)).cast_unsigned().to_be_bytes();
        planes[at] = folded[0];
        planes[words.len() + at] = folded[1];
        for plane in 2..WIDTH {
            planes[plane * words.len() + at] = word[plane];
        }
    }
}

/// Reads `count` words written by [`put_planes`].
pub(crate) fn read_planes<const WIDTH: usize>(
    reader: &mut Reader<'_>,
    count: usize,
) -> Result<Vec<[u8; WIDTH]>, String> {
    let Some(size) = count.checked_mul(WIDTH) else {
        return Err(format!("{count} values are too many"));
    };
    let planes = reader.take(size)?;
    let mut previous = 0_u16;
    let words = (0..count).map(|at| {
        let folded = u16::from_be_bytes([planes[at], planes[count + at]]);
        let step = (folded >> 1) ^ (folded & 1).wrapping_neg();
        previous = previous.wrapping_add(step);
        let mut word = [0; WIDTH];
        word[..2].copy_from_slice(&previous.to_be_bytes());
        for (plane, byte) in word.iter_mut().enumerate().skip(2) {
            *byte = planes[plane * count + at];
        }
        word
    });
    Ok(words.collect())
}
