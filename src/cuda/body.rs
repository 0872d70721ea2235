//! A trace as statements in CUDA C++.

use crate::number::{Kind, Node, Operation, Precision, Trace, Traced};

/// A longer expression is broken up.
const WIDTH: usize = 80;

/// The statements that give each of `outputs` its value. A value that is needed once stands where
/// it is needed, unless the line gets too long; others have a name.
pub(super) fn statements(trace: &Trace, outputs: &[String], precision: Precision) -> String {
    let uses = trace.uses();
    let mut body = Body { text: String::new(), values: Vec::new(), temporaries: 0 };
    for (place, node) in trace.nodes.iter().enumerate() {
        let value = match node {
            Node::Input(name) => Printed::Named(name.clone()),
            Node::Constant(bits) => Printed::Named(constant(f64::from_bits(*bits), precision)),
            Node::Apply(operation, operands) => {
                Printed::Unnamed(*operation, body.expression(*operation, operands))
            }
        };
        body.values.push(value);
        if let Printed::Unnamed(_, expression) = &body.values[place] {
            if let Some(output) = trace.outputs.iter().position(|&output| output == place) {
                body.text += &format!("    {} = {expression};\n", outputs[output]);
                body.values[place] = Printed::Named(outputs[output].clone());
            } else if uses[place] > 1 {
                body.name(place);
            }
        }
    }
    // An output that is an input, a constant, or another output as well.
    for (output, &place) in outputs.iter().zip(&trace.outputs) {
        let value = body.values[place].text();
        if value != output {
            body.text += &format!("    {output} = {value};\n");
        }
    }
    body.text
}

/// What CUDA calls a type.
pub(super) fn cuda_type(kind: Kind) -> &'static str {
    match kind {
        Kind::F16 => "float16",
        Kind::BF16 => "bfloat16",
        Kind::F32 => "float",
        Kind::F64 => "double",
    }
}

/// A rule's scalar, as the statements of a function name it.
pub(super) fn scalar(name: &str) -> Traced {
    Traced::input(format!("k.{name}"))
}

/// A function of scalars and of `inputs` that sets `new_x` for each `x` of `outputs` to the trace's outputs.
pub(super) fn function(
    name: &str,
    inputs: &[&str],
    outputs: &[&str],
    trace: &Trace,
    precision: Precision,
) -> String {
    let new: Vec<String> = outputs.iter().map(|name| format!("new_{name}")).collect();
    let real: String = inputs.iter().map(|name| format!(", real {name}")).collect();
    let results: Vec<String> = new.iter().map(|name| format!("real& {name}")).collect();
    let indent = " ".repeat(format!("device void {name}(").len());
    format!(
        "device void {name}(const Scalars& k{real},\n{indent}{}) {{\n{}}}\n\n",
        results.join(", "),
        statements(trace, &new, precision)
    )
}

enum Printed {
    Named(String),
    Unnamed(Operation, String),
}

impl Printed {
    fn text(&self) -> &str {
        let (Printed::Named(text) | Printed::Unnamed(_, text)) = self;
        text
    }

    /// As an operand of an infix operator.
    fn operand(&self) -> String {
        match self {
            Printed::Unnamed(Operation::And | Operation::Or, text) => format!("({text})"),
            value => value.text().to_owned(),
        }
    }
}

struct Body {
    text: String,
    values: Vec<Printed>,
    temporaries: usize,
}

impl Body {
    /// Gives an expression a name.
    fn name(&mut self, place: usize) {
        let Printed::Unnamed(operation, expression) = &self.values[place] else { return };
        self.temporaries += 1;
        let name = format!("t{}", self.temporaries);
        let kind = if operation.is_mask() { "bool" } else { "real" };
        self.text += &format!("    const {kind} {name} = {expression};\n");
        self.values[place] = Printed::Named(name);
    }

    fn expression(&mut self, operation: Operation, operands: &[usize]) -> String {
        loop {
            let expression = self.plain(operation, operands);
            let unnamed = |place: &&usize| matches!(self.values[**place], Printed::Unnamed(..));
            let longest = operands.iter().filter(unnamed);
            let longest = longest.max_by_key(|&&place| self.values[place].text().len());
            match longest {
                Some(&place) if expression.len() > WIDTH => self.name(place),
                _ => return expression,
            }
        }
    }

    fn plain(&self, operation: Operation, operands: &[usize]) -> String {
        let call = |name: &str| {
            let operands: Vec<_> =
                operands.iter().map(|&place| self.values[place].text()).collect();
            format!("{name}({})", operands.join(", "))
        };
        let infix = |symbol: &str| {
            let operands: Vec<_> =
                operands.iter().map(|&place| self.values[place].operand()).collect();
            operands.join(symbol)
        };
        match operation {
            Operation::Add => call("add_rn"),
            Operation::Sub => call("sub_rn"),
            Operation::Mul => call("mul_rn"),
            Operation::Div => call("div_rn"),
            Operation::Sqrt => call("sqrt_rn"),
            Operation::Abs => call("absolute"),
            Operation::Lt => call("lt"),
            Operation::Select => call("select"),
            Operation::And => infix(" & "),
            Operation::Or => infix(" | "),
        }
    }
}

/// Rounded to the compute type as the CPU does, and exactly that in print: small whole numbers are
/// exact as they are, anything else is given by its bits.
fn constant(value: f64, precision: Precision) -> String {
    let whole = value.fract() == 0.0 && value.abs() < 1e6 && value.to_bits() != 1 << 63;
    match precision {
        Precision::F32 if whole => format!("{value:?}f"),
        Precision::F64 if whole => format!("{value:?}"),
        Precision::F32 => {
            let value = value as f32;
            format!("from_bits({:#010x}u /* {value:?} */)", value.to_bits())
        }
        Precision::F64 => format!("from_bits({:#018x}ull /* {value:?} */)", value.to_bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::{constant, statements};
    use crate::number::{Precision, Real, Trace, Traced};

    fn printed(outputs: &[&str], function: impl FnOnce(Traced, Traced) -> Vec<Traced>) -> String {
        let outputs: Vec<_> = outputs.iter().map(|&name| name.to_owned()).collect();
        let trace = Trace::of(|| function(Traced::input("a"), Traced::input("b")));
        statements(&trace, &outputs, Precision::F32)
    }

    #[test]
    fn a_value_needed_twice_has_a_name() {
        let text = printed(&["x", "y"], |a, b| vec![(a * b) / (a - a * b), b.sqrt()]);
        assert_eq!(
            text,
            "    const real t1 = mul_rn(a, b);\n    x = div_rn(t1, sub_rn(a, t1));\n    \
             y = sqrt_rn(b);\n"
        );
    }

    #[test]
    fn an_output_is_used_by_its_name() {
        let text = printed(&["x", "y", "z"], |a, b| vec![a + b, (a + b) * b, a]);
        assert_eq!(text, "    x = add_rn(a, b);\n    y = mul_rn(x, b);\n    z = a;\n");
    }

    #[test]
    fn masks_are_combined_and_chosen_by() {
        let text = printed(&["x"], |a, b| vec![Traced::select(a.same_sign(b), a.abs(), b)]);
        assert_eq!(
            text,
            "    const bool t1 = (lt(0.0f, a) & lt(0.0f, b)) | (lt(a, 0.0f) & lt(b, 0.0f));\n    \
             x = select(t1, absolute(a), b);\n"
        );
    }

    #[test]
    fn constants_are_exact() {
        assert_eq!(constant(-1.0, Precision::F32), "-1.0f");
        assert_eq!(constant(-0.0, Precision::F32), "from_bits(0x80000000u /* -0.0 */)");
        assert_eq!(constant(0.1, Precision::F32), "from_bits(0x3dcccccdu /* 0.1 */)");
        assert_eq!(constant(0.1, Precision::F64), "from_bits(0x3fb999999999999aull /* 0.1 */)");
        assert_eq!(constant(f64::INFINITY, Precision::F32), "from_bits(0x7f800000u /* inf */)");
    }
}
