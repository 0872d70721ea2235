//! A trace as a function in CUDA C++.

use crate::engine::Precision;
use crate::number::{Node, Operation, Trace};

/// Longer expressions are given a name.
const WIDTH: usize = 84;

fn primitive(operation: Operation) -> &'static str {
    match operation {
        Operation::Add => "add_rn",
        Operation::Sub => "sub_rn",
        Operation::Mul => "mul_rn",
        Operation::Div => "div_rn",
        Operation::Sqrt => "sqrt_rn",
        Operation::Abs => "absolute",
        Operation::Lt => "lt",
        Operation::Select => "select",
        Operation::And => "&",
        Operation::Or => "|",
    }
}

/// Rounded to the compute type as the CPU does, and exactly that in print.
fn constant(value: f64, precision: Precision) -> String {
    match precision {
        Precision::F32 => {
            let value = value as f32;
            format!("from_bits({:#010x}u /* {value:?} */)", value.to_bits())
        }
        Precision::F64 => format!("from_bits({:#018x}ull /* {value:?} */)", value.to_bits()),
    }
}

/// The statements that give each of `outputs` its value. A value that is needed once stands where
/// it is needed; others have a name.
pub(super) fn statements(trace: &Trace, outputs: &[String], precision: Precision) -> String {
    let uses = trace.uses();
    let mut text = String::new();
    let mut values: Vec<String> = Vec::with_capacity(trace.nodes.len());
    let mut temporaries = 1..;
    for (place, node) in trace.nodes.iter().enumerate() {
        let (operation, operands) = match node {
            Node::Input(name) => {
                values.push(name.clone());
                continue;
            }
            Node::Constant(bits) => {
                values.push(constant(f64::from_bits(*bits), precision));
                continue;
            }
            Node::Apply(operation, operands) => (*operation, operands),
        };
        let operands: Vec<&str> = operands.iter().map(|&place| values[place].as_str()).collect();
        let expression = match operation {
            Operation::And | Operation::Or => {
                format!("({})", operands.join(&format!(" {} ", primitive(operation))))
            }
            _ => format!("{}({})", primitive(operation), operands.join(", ")),
        };
        let output = trace.outputs.iter().position(|&output| output == place);
        if let Some(output) = output {
            text += &format!("    {} = {expression};\n", outputs[output]);
            values.push(outputs[output].clone());
        } else if uses[place] > 1 || expression.len() > WIDTH {
            let name = format!("t{}", temporaries.next().unwrap_or_default());
            let kind = if operation.is_mask() { "bool" } else { "real" };
            text += &format!("    const {kind} {name} = {expression};\n");
            values.push(name);
        } else {
            values.push(expression);
        }
    }
    for (output, &place) in outputs.iter().zip(&trace.outputs) {
        if values[place] != *output {
            text += &format!("    {output} = {};\n", values[place]);
        }
    }
    text
}
