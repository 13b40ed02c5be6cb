/** How a key is named that lies in no file. */

/** The ARN or alias behind `kms:`, or undefined where it is another kind of input. */
export function kmsKeyNamed(input: string | Uint8Array): string | undefined {
  return typeof input === 'string' && input.startsWith('kms:') ? input.slice('kms:'.length) : undefined;
}

/** Whether it names a file. One that is called like the others is written with `./` before it. */
export const isKeyFile = (input: string): boolean => !/^(kms|secretsmanager|ssm):/.test(input);
